#pragma once
// How an entry of a tenant's log is told: a line for a human, or a JSON object (scimctl(8) names its
// members). What a client sent stands in a line quoted only.

#include <map>
#include <string>

#include "service/store.h"
#include "store/log.h"
#include "store/tenants.h"

namespace scim::scimctl {

class LogView {
  public:
    // REQUIRES: snapshot.usable(). The snapshot must outlive this.
    LogView(service::Snapshot &snapshot, store::TenantNumber tenant, bool json);

    std::string show(const store::LoggedChange &change);
    std::string show(const store::Refusal &refusal);

  private:
    std::string change_line(const store::LoggedChange &change);
    std::string change_json(const store::LoggedChange &change);
    std::string refusal_line(const store::Refusal &refusal);
    std::string refusal_json(const store::Refusal &refusal);
    std::string attribute_name(TypeNumber type, AttrNumber attr) const;
    std::string label(uint32_t token) const;
    // userName or displayName of what exists; empty otherwise.
    std::string name(const TypeView &type, const Id &id);
    std::string name(const Id &id);  // whatever its type
    std::string name(const store::Refusal &refusal);
    std::string members_line(const store::LoggedChange &change);
    void append_members(std::string &out, char sign, const std::vector<Id> &ids, uint64_t count);
    void append_members_json(std::string &out, const std::vector<Id> &ids);

    const Catalog &catalog_;
    store::Directory directory_;
    bool json_;
    std::map<uint32_t, std::string> labels_;
};

}  // namespace scim::scimctl
