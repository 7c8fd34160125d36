#include "nginx/index_conf.h"

#include <map>
#include <set>

#include "nginx/directive.h"
#include "nginx/guard.h"

namespace scim::nginx {

namespace {

char *set_index_guarded(ngx_conf_t *cf) {
    IndexConf index;
    index.where = where(cf);
    index.type = arg(cf, 1);
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        std::string text = arg(cf, i), kind;
        if (option(text, "store=", index.store)) continue;
        if (!option(text, "type=", kind)) {
            index.attributes.push_back(std::move(text));
            continue;
        }
        if (kind != to_string(IndexKind::substring))
            return fail(cf, "invalid value \"" + text +
                                "\" in \"scim_index\" directive, it must be \"type=substring\"");
        index.kind = IndexKind::substring;
    }
    if (index.attributes.empty()) return fail(cf, "no attribute in \"scim_index\" directive");
    main_conf(cf)->indexes.push_back(std::move(index));
    return NGX_CONF_OK;
}

// The indexes that one store has so far.
class Declared {
  public:
    // Returns an error message if the index cannot be added, or an empty string.
    std::string add(const Catalog &catalog, const WantedIndex &wanted) {
        auto attr = attribute_of(catalog, wanted);
        if (!attr) return attr.error().detail;
        std::string name = quoted(wanted.attribute) + " of " + wanted.type;
        const bool is_value = wanted.kind == IndexKind::value;
        if (!is_value) name += " with type=substring";
        if (is_value && is_indexed_always(*catalog.type_by_name(wanted.type), **attr))
            return name + " has an index without \"scim_index\"";
        if (!attrs_.emplace(*attr, wanted.kind).second) return name + " is duplicate";
        if (++count_[wanted.type] > max_wanted)
            return wanted.type + " has more than " + std::to_string(max_wanted) + " indexes";
        return {};
    }

  private:
    std::set<std::pair<const Attr *, IndexKind>> attrs_;
    std::map<std::string, size_t> count_;  // by type
};

}  // namespace

char *set_index(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&] { return set_index_guarded(cf); });
}

std::string declare_indexes(const MainConf &mcf, StoreConf &store, const Catalog &catalog) {
    Declared declared;
    for (const IndexConf &index : mcf.indexes) {
        if (!index.store.empty() && mcf.find(index.store) == NULL)
            return "unknown store \"" + index.store + "\" in " + index.where;
        if (!index.store.empty() && index.store != store.name) continue;
        for (const std::string &attribute : index.attributes) {
            WantedIndex wanted{index.type, attribute, index.kind};
            const std::string problem = declared.add(catalog, wanted);
            if (!problem.empty())
                return "\"scim_index\" for store \"" + store.name + "\": " + problem + " in " +
                       index.where;
            store.declaration.indexes.push_back(std::move(wanted));
        }
    }
    return {};
}

}  // namespace scim::nginx
