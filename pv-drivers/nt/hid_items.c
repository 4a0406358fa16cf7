#include "hid_items.h"
#include <string.h>

#define DEPTH   4
#define REPORTS 256

struct global {
    uint16_t page;
    int32_t least, most;
    unsigned size, count;
    uint8_t report;
};

struct parser {
    struct hid_items *items;
    struct global global;
    uint16_t usages[HID_USAGES];
    unsigned usage_count;
    int32_t range_first; /* -1: no range is begun */
    unsigned depth;
    uint32_t application;
    unsigned bits[3][REPORTS];
};

static uint32_t unsigned_of(const uint8_t *data, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)data[i] << 8 * i;
    return value;
}

static int32_t signed_of(const uint8_t *data, unsigned size)
{
    uint32_t value = unsigned_of(data, size), sign = size ? 1u << (8 * size - 1) : 0;

    return (int32_t)((value ^ sign) - sign);
}

static void forget_local(struct parser *parser)
{
    parser->usage_count = 0;
    parser->range_first = -1;
}

static const char *add_usage(struct parser *parser, uint32_t usage)
{
    if (usage > UINT16_MAX)
        return "a usage with its own page";
    if (parser->usage_count == HID_USAGES)
        return "more usages than there is room for";
    parser->usages[parser->usage_count++] = (uint16_t)usage;
    return NULL;
}

static const char *add_field(struct parser *parser, enum hid_kind kind, uint32_t flags)
{
    struct hid_field *field = &parser->items->fields[parser->items->count];
    const struct global *global = &parser->global;
    unsigned *bits = &parser->bits[kind][global->report];

    if (parser->items->count++ == HID_FIELDS)
        return "more fields than there is room for";
    if (!global->report || !parser->depth)
        return "a field without report id or collection";
    if (!global->size || global->size > 32 || !global->count || (!(flags & 1) && global->least >= global->most))
        return "a field whose sizes or limits make no sense";
    *field = (struct hid_field){.kind = kind,
                                .report = global->report,
                                .application = parser->application,
                                .page = global->page,
                                .usage_count = parser->usage_count,
                                .least = global->least,
                                .most = global->most,
                                .bit = *bits,
                                .size = global->size,
                                .count = global->count,
                                .constant = flags & 1,
                                .array = !(flags & 2),
                                .relative = flags & 4};
    memcpy(field->usages, parser->usages, sizeof(field->usages));
    *bits += global->size * global->count;
    if (field->constant)
        return NULL;
    if (field->array && (parser->usage_count != 2 || field->usages[1] - field->usages[0] != field->most - field->least))
        return "an array whose usages do not go with its limits";
    return !field->array && field->usage_count != field->count ? "a field with another number of usages" : NULL;
}

static const char *main_item(struct parser *parser, unsigned tag, uint32_t value)
{
    const char *problem = NULL;

    if (tag == 8 || tag == 9 || tag == 11) {
        problem = add_field(parser, tag == 8 ? HID_INPUT : tag == 9 ? HID_OUTPUT : HID_FEATURE, value);
    } else if (tag == 10) {
        if (!parser->depth) {
            if (value != 1 || parser->usage_count != 1)
                return "an outermost collection that is no application";
            parser->application = (uint32_t)parser->global.page << 16 | parser->usages[0];
        }
        if (++parser->depth > DEPTH)
            return "collections too deep";
    } else if (tag == 12) {
        if (!parser->depth--)
            return "the end of a collection that has not begun";
    } else {
        return "an unknown main item";
    }
    forget_local(parser);
    return problem;
}

static const char *global_item(struct parser *parser, unsigned tag, const uint8_t *data, unsigned size)
{
    struct global *global = &parser->global;

    switch (tag) {
    case 0:
        global->page = (uint16_t)unsigned_of(data, size);
        return NULL;
    case 1:
        global->least = signed_of(data, size);
        return NULL;
    case 2:
        global->most = signed_of(data, size);
        return NULL;
    case 7:
        global->size = unsigned_of(data, size);
        return NULL;
    case 8:
        global->report = (uint8_t)unsigned_of(data, size);
        return global->report ? NULL : "report id 0";
    case 9:
        global->count = unsigned_of(data, size);
        return NULL;
    default:
        return "a global item that is not known here";
    }
}

static const char *local_item(struct parser *parser, unsigned tag, uint32_t value)
{
    if (tag == 0)
        return add_usage(parser, value);
    if (tag == 1) {
        parser->range_first = (int32_t)value;
        return add_usage(parser, value);
    }
    if (tag != 2 || parser->range_first < 0 || (int32_t)value < parser->range_first)
        return "a local item that is not known here";
    if (value - (uint32_t)parser->range_first < HID_USAGES) /* of an array the limits are enough */
        while ((uint32_t)++parser->range_first < value) {
            const char *problem = add_usage(parser, (uint32_t)parser->range_first);

            if (problem)
                return problem;
        }
    parser->range_first = -1;
    return add_usage(parser, value);
}

static const char *parse_item(struct parser *parser, uint8_t prefix, const uint8_t *data, unsigned size)
{
    switch (prefix >> 2 & 3) {
    case 0:
        return main_item(parser, prefix >> 4, unsigned_of(data, size));
    case 1:
        return global_item(parser, prefix >> 4, data, size);
    case 2:
        return local_item(parser, prefix >> 4, unsigned_of(data, size));
    default:
        return "a long or reserved item";
    }
}

const char *hid_parse(struct hid_items *items, const uint8_t *data, unsigned size)
{
    static const unsigned sizes[] = {0, 1, 2, 4};
    struct parser parser = {.items = items, .range_first = -1};
    const char *problem = NULL;

    items->count = 0;
    for (unsigned at = 0, length; at < size && !problem; at += 1 + length) {
        length = sizes[data[at] & 3];
        problem = at + 1 + length > size ? "the last item is not whole"
                                         : parse_item(&parser, data[at], data + at + 1, length);
    }
    if (problem)
        return problem;
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned report = 0; report < REPORTS; report++)
            if (parser.bits[kind][report] % 8)
                return "a report that does not end with a byte";
    return parser.depth ? "a collection that does not end" : items->count ? NULL : "no field";
}

unsigned hid_report_size(const struct hid_items *items, enum hid_kind kind, uint8_t report)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < items->count; i++)
        if (items->fields[i].kind == kind && items->fields[i].report == report)
            bits += items->fields[i].size * items->fields[i].count;
    return bits ? 1 + bits / 8 : 0;
}

static int32_t read_bits(const struct hid_field *field, const uint8_t *report, unsigned index)
{
    unsigned from = 8 + field->bit + index * field->size;
    uint32_t value = 0, sign = field->least < 0 ? 1u << (field->size - 1) : 0;

    for (unsigned i = 0; i < field->size; i++)
        value |= (uint32_t)(report[(from + i) / 8] >> (from + i) % 8 & 1) << i;
    return (int32_t)((value ^ sign) - sign);
}

/* How often it is in the array. */
static int32_t in_array(const struct hid_field *field, const uint8_t *report, uint16_t usage)
{
    int32_t found = 0;

    for (unsigned i = 0; i < field->count; i++)
        found += read_bits(field, report, i) - field->least + field->usages[0] == usage;
    return found;
}

bool hid_value(const struct hid_items *items, enum hid_kind kind, const uint8_t *report, uint16_t page, uint16_t usage,
               int32_t *value)
{
    for (unsigned i = 0; i < items->count; i++) {
        const struct hid_field *field = &items->fields[i];

        if (field->kind != kind || field->report != report[0] || field->page != page || field->constant)
            continue;
        if (field->array && usage >= field->usages[0] && usage <= field->usages[1]) {
            *value = in_array(field, report, usage);
            return true;
        }
        for (unsigned index = 0; !field->array && index < field->usage_count; index++)
            if (field->usages[index] == usage) {
                *value = read_bits(field, report, index);
                return true;
            }
    }
    return false;
}

bool hid_in_range(const struct hid_items *items, const uint8_t *report)
{
    for (unsigned i = 0; i < items->count; i++) {
        const struct hid_field *field = &items->fields[i];

        for (unsigned index = 0; field->kind == HID_INPUT && field->report == report[0] && index < field->count;
             index++) {
            int32_t value = read_bits(field, report, index);

            if (field->constant ? value != 0 : value < field->least || value > field->most)
                return false;
        }
    }
    return true;
}
