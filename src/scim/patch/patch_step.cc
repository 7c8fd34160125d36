// Values are read by ValueReader, as in POST and PUT, so that all three accept the same values.

#include "scim/patch/patch_step.h"

#include <algorithm>
#include <new>

#include "scim/text/json.h"

namespace scim {

namespace {

// True if the step is on a required attribute that no resource can be without. Attributes of an
// extension are left to check_required(), because the whole extension may be removed.
bool is_on_required(const PatchStep &step) {
    const Attr &attr = *step.attr;
    return attr.def->required && attr.extension < 0 && !step.part && !step.filter;
}

// The literal of a filter as a JSON value.
Json to_json(const FilterValue &value) {
    switch (value.kind) {
        case FilterValue::Kind::boolean: return made(json_boolean(value.boolean));
        case FilterValue::Kind::integer: return made(json_integer(value.integer));
        case FilterValue::Kind::decimal: return made(json_real(value.decimal));
        default: break;
    }
    std::string text;
    if (!read_string(value.json, text)) return Json();
    return made(json_stringn(text.data(), text.size()));
}

}  // namespace

Error in_operation(size_t i, std::string_view member, Error error) {
    error.detail.insert(0, "Operations[" + std::to_string(i) + "]" + std::string(member) + ": ");
    return error;
}

PatchStepReader::Step PatchStepReader::read(PatchOp op, Path path, std::string_view text,
                                            const json_t *value) {
    PatchStep step;
    step.op = op;
    step.attr = path.attr;
    step.part = path.part;
    if (path.filter) {
        auto filter = std::make_unique<PatchFilter>();
        filter->filter = std::move(*path.filter);
        filter->path = text;
        describe(*filter);
        note_compared(*filter);
        step.filter = std::move(filter);
    }
    if (op == PatchOp::remove) return removal(std::move(step), value);
    return assignment(std::move(step), value);
}

// Sets `pinned`, `describes` and `element` of the filter.
void PatchStepReader::describe(PatchFilter &out) {
    const Filter &filter = out.filter;
    out.element.first = leaves_.size();
    out.describes = true;
    std::vector<uint32_t> left{filter.node(filter.root()).left};
    while (!left.empty()) {
        const FilterNode &node = filter.node(left.back());
        left.pop_back();
        if (node.kind == FilterNode::Kind::conjunction) {
            left.push_back(node.right);
            left.push_back(node.left);
            continue;
        }
        if (node.kind != FilterNode::Kind::term || node.op != FilterOp::eq || !node.attr ||
            !node.attr->stored()) {
            out.describes = false;
            continue;
        }
        if (node.value.kind == FilterValue::Kind::null) continue;  // unassigned: no leaf
        if (std::count(out.pinned.begin(), out.pinned.end(), node.attr)) continue;
        out.pinned.push_back(node.attr);
        // A filter on simple values selects the value to replace; it does not describe a new one.
        if (!node.attr->parent) {
            out.describes = false;
            continue;
        }
        Json value = to_json(node.value);
        if (value && node.attr->def->multi_valued) {
            Json array = made(json_array());
            if (json_array_append_new(array.get(), value.release()) != 0) throw std::bad_alloc();
            value = std::move(array);
        }
        if (!value || !reader_.read_simple(*node.attr, value.get())) out.describes = false;
    }
    out.element.last = leaves_.size();
    // False for terms that contradict each other, and for literals that no value can equal.
    out.describes =
        out.describes && filter.matches_element(type_, leaves_.data() + out.element.first,
                                                leaves_.data() + out.element.last);
}

void PatchStepReader::note_compared(PatchFilter &out) {
    std::vector<uint32_t> left{out.filter.node(out.filter.root()).left};
    while (!left.empty()) {
        const FilterNode &node = out.filter.node(left.back());
        left.pop_back();
        if (node.kind != FilterNode::Kind::term) {
            left.push_back(node.left);
            if (node.kind == FilterNode::Kind::conjunction ||
                node.kind == FilterNode::Kind::disjunction)
                left.push_back(node.right);
        } else if (node.attr && node.op != FilterOp::pr &&
                   node.value.kind != FilterValue::Kind::null) {
            out.compared.push_back(node.attr);
        }
    }
}

// Reads an add or replace.
PatchStepReader::Step PatchStepReader::assignment(PatchStep step, const json_t *value) {
    bool unassigns = !is_assigned(value);
    if (unassigns && step.op == PatchOp::add) return Step(std::nullopt);
    step.values.first = leaves_.size();
    if (!unassigns) RETURN_IF_ERROR(new_values(step, value, unassigns));
    step.values.last = leaves_.size();
    if (unassigns) {
        if (is_on_required(step))
            return Error{Refusal::required_missing,
                         "\"" + step.attr->path + "\" is required and must have a value"};
        step.op = PatchOp::remove;
    } else if (step.values.empty() && step.op == PatchOp::add) {
        return Step(std::nullopt);
    }
    return Step(std::move(step));
}

// Reads the value of an add or replace. `unassigns` is set to true if the value unassigns the
// attribute. An object without known parts changes nothing: a replace with it becomes an add.
Outcome PatchStepReader::new_values(PatchStep &step, const json_t *value, bool &unassigns) {
    const Attr &attr = *step.attr;
    if (step.part) {
        if (dialect_.unassigns(*step.part, value)) {
            unassigns = true;
            step.part = nullptr;
            return Done{};
        }
        auto r = reader_.read_simple(*step.part, value);
        unassigns = leaves_.size() == step.values.first;  // [null]
        return r;
    }
    if (attr.def->multi_valued && !step.filter) return reader_.read_list(attr, value);
    if (attr.def->type != AttrType::complex) return reader_.read_simple(attr, value);
    ValueReader::Parts parts;
    if (auto r = reader_.read_object(attr, value, parts); !r) return r;
    unassigns = parts.emptied;
    if (!parts.named) step.op = PatchOp::add;
    if (step.op == PatchOp::replace && !step.filter) step.unassigned = std::move(parts.unassigned);
    return Done{};
}

PatchStepReader::Step PatchStepReader::removal(PatchStep step, const json_t *value) {
    if (is_on_required(step))
        return Error{Refusal::required_removed,
                     "\"" + step.attr->path + "\" is required and cannot be removed"};
    // On a multi-valued attribute, only the listed values are removed; for a whole attribute, null
    // and [] are lists without values. On a single-valued one, the value does not matter (patch.h).
    const bool many = step.attr->def->multi_valued || (step.part && step.part->def->multi_valued);
    const bool selected = step.part || step.filter;
    step.listed = many && value && (is_assigned(value) || !selected);
    if (step.listed || is_assigned(value)) RETURN_IF_ERROR(dialect_.remove_with_value());
    if (!step.listed) return Step(std::move(step));
    if (!is_assigned(value)) return Step(std::nullopt);
    step.values.first = leaves_.size();
    auto r = step.part ? reader_.read_simple(*step.part, value)
                       : reader_.read_descriptions(*step.attr, value);
    RETURN_IF_ERROR(r);
    step.values.last = leaves_.size();
    if (step.values.empty()) return Step(std::nullopt);
    return Step(std::move(step));
}

}  // namespace scim
