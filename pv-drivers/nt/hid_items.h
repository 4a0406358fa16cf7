/* A HID report descriptor as fields, and reports read by them: HID 1.11, section 6.2.2. */
#ifndef NT_HID_ITEMS_H
#define NT_HID_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

enum hid_kind { HID_INPUT, HID_OUTPUT, HID_FEATURE };
#define HID_FIELDS 64
#define HID_USAGES 16

struct hid_field {
    enum hid_kind kind;
    uint8_t report;
    uint32_t application; /* page << 16 | usage of the outermost collection */
    uint16_t page;
    uint16_t usages[HID_USAGES]; /* in order; of an array the first and the last one */
    unsigned usage_count;
    int32_t least, most; /* logical */
    unsigned bit, size, count;
    bool constant, array, relative;
};

struct hid_items {
    struct hid_field fields[HID_FIELDS];
    unsigned count;
};

/* What is wrong with it; NULL: nothing. */
const char *hid_parse(struct hid_items *items, const uint8_t *data, unsigned size);
unsigned hid_report_size(const struct hid_items *items, enum hid_kind kind,
                         uint8_t report); /* bytes with the id; 0: none */
/* The value of a usage in a report of this kind, of an array whether it is in it; false: the report cannot have it. */
bool hid_value(const struct hid_items *items, enum hid_kind kind, const uint8_t *report, uint16_t page, uint16_t usage,
               int32_t *value);
/* Is each value of the report one that its field may have? */
bool hid_in_range(const struct hid_items *items, const uint8_t *report);

#endif
