#include "keyboard.h"
#include <string.h>
#include "../check.h"

const char *pvinput_file;
static struct nt_hid_report report;

void keyboard_boot(unsigned processors)
{
    machine_boot(processors, &(struct hv_options){.unplug_version = 1});
    kbdback_boot();
    nt_hid_cancels = true;
}

struct kbdback *keyboard_run(struct system *system, struct kbdback offers)
{
    struct kbdback *keyboard = kbdback_add(offers);

    system_load(system, pvinput_file, "pvinput");
    system_run(system);
    nt_settle();
    CHECK(nt_hid_runs());
    return keyboard;
}

void keyboard_end(struct system *system)
{
    system_end(system, kbdback_end);
}

bool front_state_is(const char *wanted)
{
    char state[8] = "";

    return store_get("device/vkbd/0/state", state, sizeof(state)) && !strcmp(state, wanted);
}

bool next_report(void)
{
    nt_settle();
    return nt_hid_take(&report);
}

unsigned report_id(void)
{
    return report.data[0];
}

int value_of(unsigned page, unsigned usage)
{
    int32_t value = 0;

    CHECK(hid_value(nt_hid_items(), HID_INPUT, report.data, (uint16_t)page, (uint16_t)usage, &value),
          "report %u has no usage %#x of page %u", report.data[0], usage, page);
    return value;
}

unsigned keys_down(void)
{
    unsigned count = 0;

    for (unsigned usage = 4; usage < 0xe8; usage++)
        count += (unsigned)value_of(PAGE_KEYS, usage);
    return count;
}

bool says_rollover(void)
{
    return value_of(PAGE_KEYS, 1) == 6;
}
