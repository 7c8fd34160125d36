#pragma once
// Formats an entry of a tenant's log as a line of text or as a JSON object, whose members
// scimctl(8) describes. In a line, text that a client sent is quoted, so that it contains no
// control characters.

#include <map>
#include <string>
#include <vector>

#include "service/store.h"
#include "store/log.h"
#include "store/row.h"
#include "store/tenants.h"

namespace scim::scimctl {

class LogView {
  public:
    // REQUIRES: snapshot.usable(). The snapshot must outlive the view.
    LogView(service::Snapshot &snapshot, store::TenantNumber tenant, bool json);

    std::string show(const store::LoggedChange &change);
    std::string show(const store::Refusal &refusal);

  private:
    std::string change_line(const store::LoggedChange &change);
    std::string change_json(const store::LoggedChange &change);
    std::string refusal_line(const store::Refusal &refusal);
    std::string refusal_json(const store::Refusal &refusal);
    std::string attribute_name(TypeNumber type, AttrNumber attr) const;
    // The label of the token that is the actor; empty if the actor is 0 or unknown.
    std::string label(uint32_t actor) const;
    void add_actor(store::RowWriter &row, uint32_t actor) const;
    // The current userName or displayName of a resource; of a deleted one, the last that it had;
    // empty if that is not known any more.
    std::string name(const TypeView &type, const Id &id);
    std::string name(const Id &id);  // of a resource of any type
    std::string name(const store::Refusal &refusal);
    std::string current_name(const TypeView &type, const Id &id);
    std::string deleted_name(const Id &id);
    std::string attributes_line(const store::Change &change, bool with_members) const;
    std::string members_line(const store::LoggedChange &change);
    void append_members(std::string &out, char sign, const std::vector<Id> &ids, uint64_t count);
    std::vector<store::RowWriter> member_rows(const std::vector<Id> &ids);

    const Catalog &catalog_;
    store::Directory directory_;
    bool json_;
    std::map<uint32_t, store::Token> tokens_;  // by actor
};

}  // namespace scim::scimctl
