/* The shipped pvinput.sys from its start to its end, and against back ends that lie. */
#include <linux/input-event-codes.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "../check.h"
#include "../random.h"
#include "../test_list.h"
#include "events.h"
#include "keyboard.h"

#define PIXELS  .absolute = true, .width = 1280, .height = 800
#define FINGERS .contacts = 5, .touch_width = 1000, .touch_height = 500

static void connects_and_leaves(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    CHECK(keyboard->page && front_state_is("4"));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK(!keyboard->page && front_state_is("6"));
    CHECK_EQUAL(0, hv_grants());
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_START_DEVICE, NULL, NULL));
    nt_settle();
    CHECK(keyboard->page && front_state_is("4"));
    CHECK(kbdback_key(keyboard, KEY_A, true) && next_report());
    keyboard_end(&system);
}

/* Windows has its keyboard all the same; the back end may come late. */
static void starts_without_a_back_end(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){.silent = true, PIXELS});
    CHECK(nt_said("is not there: a keyboard and a pointer are taken for granted"));
    CHECK(!keyboard->page);
    keyboard->silent = false;
    kbdback_set(keyboard, "state", XenbusStateInitWait);
    nt_settle();
    CHECK(keyboard->page);
    CHECK(kbdback_key(keyboard, KEY_A, true) && next_report() && value_of(PAGE_KEYS, 4));
    CHECK(kbdback_place(keyboard, 1279, 0, 0) && next_report() && value_of(PAGE_DESKTOP, USAGE_X) == 32767);
    keyboard_end(&system);
}

/* --- what was down is up when the back end can tell no more --- */

static void hold_down(struct kbdback *keyboard)
{
    struct nt_hid_report last;

    CHECK(kbdback_key(keyboard, KEY_A, true) && kbdback_key(keyboard, KEY_RIGHTALT, true));
    CHECK(kbdback_key(keyboard, KEY_MUTE, true) && kbdback_key(keyboard, BTN_LEFT, true));
    CHECK(kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 2, 1, 1) && kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 3, 1, 1));
    CHECK(kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0));
    nt_settle();
    for (unsigned i = 0; i < 6; i++)
        CHECK(nt_hid_take(&last));
    CHECK(!nt_hid_take(&last));
}

static void expect_all_up(void)
{
    CHECK(next_report() && report_id() == KEYBOARD && !keys_down());
    CHECK(next_report() && report_id() == MEDIA && !value_of(PAGE_MEDIA, 0xe2));
    CHECK(next_report() && report_id() == ABSOLUTE && !value_of(PAGE_BUTTONS, 1));
    for (int finger = 2; finger < 4; finger++) {
        CHECK(next_report() && report_id() == TOUCH && !value_of(PAGE_DIGITS, 0x42));
        CHECK(value_of(PAGE_DIGITS, 0x51) == finger && value_of(PAGE_DIGITS, 0x54) == (finger == 2 ? 2 : 0));
    }
    CHECK(!next_report());
}

static void expect_it_works(struct kbdback *keyboard)
{
    CHECK(keyboard->page && front_state_is("4"));
    CHECK(kbdback_key(keyboard, KEY_B, true) && next_report() && keys_down() == 1 && value_of(PAGE_KEYS, 5));
    CHECK(kbdback_place(keyboard, 1279, 0, 0) && next_report() && value_of(PAGE_DESKTOP, USAGE_X) == 32767);
}

static void releases_when_the_back_end_closes(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS});
    hold_down(keyboard);
    kbdback_close(keyboard);
    expect_all_up();
    CHECK(!keyboard->page && front_state_is("6"));
    kbdback_set(keyboard, "state", XenbusStateInitWait);
    nt_settle();
    expect_it_works(keyboard);
    keyboard_end(&system);
}

static void releases_when_the_back_end_begins_anew(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS});
    hold_down(keyboard);
    kbdback_forget(keyboard);
    kbdback_set(keyboard, "state", XenbusStateInitWait);
    expect_all_up();
    expect_it_works(keyboard);
    keyboard_end(&system);
}

static void releases_at_a_suspend(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS});
    hold_down(keyboard);
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(1, hv_suspends());
    expect_all_up();
    expect_it_works(keyboard);
    keyboard_end(&system);
}

static void releases_when_it_is_powered_down(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS, .stays_away = true});
    hold_down(keyboard);
    CHECK_EQUAL(STATUS_SUCCESS, nt_hid_power(false));
    CHECK(!keyboard->page && front_state_is("6"));
    expect_all_up();
    kbdback_set(keyboard, "width", 1280);
    nt_settle();
    CHECK(!keyboard->page);
    CHECK_EQUAL(STATUS_SUCCESS, nt_hid_power(true));
    nt_settle();
    expect_it_works(keyboard);
    keyboard_end(&system);
}

/* --- back ends that lie --- */

static void closes_on_an_index_that_ran_away(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS});
    hold_down(keyboard);
    kbdback_run_away(keyboard);
    expect_all_up();
    CHECK(nt_said("has an index of the ring that cannot be"));
    CHECK(!keyboard->page && front_state_is("6"));
    kbdback_set(keyboard, "state", XenbusStateInitWait);
    nt_settle();
    CHECK(!keyboard->page); /* not before a resume */
    store_set("control/shutdown", "suspend");
    nt_settle();
    expect_it_works(keyboard);
    keyboard_end(&system);
}

/* Numbers of its folder that are none, or none that can be. */
static void survives_odd_nodes(void)
{
    static const char *const names[] = {"width",
                                        "height",
                                        "multi-touch-width",
                                        "multi-touch-num-contacts",
                                        "feature-multi-touch",
                                        "feature-raw-pointer",
                                        "feature-disable-keyboard",
                                        "state"};
    static const char *const values[] = {"",
                                         "x",
                                         "-1",
                                         "0",
                                         "1",
                                         "4294967295",
                                         "18446744073709551616",
                                         "99999999999999999999999999999999999999999999999999999999999999999999999999"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (unsigned j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            char path[128];
            struct system system;
            struct kbdback *keyboard;

            keyboard_boot(1);
            keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS});
            snprintf(path, sizeof(path), "/local/domain/7/backend/vkbd/1/0/%s", names[i]);
            store_set(path, values[j]);
            nt_settle();
            for (int at = -3; at < 4; at++) {
                kbdback_place(keyboard, at * 700000000, at, 0);
                kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, (unsigned)at, at * 700000000, at);
                kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
            }
            nt_settle();
            CHECK(nt_hid_came() || !strcmp(names[i], "state"), "%s is %s", names[i], values[j]);
            kbdback_forget(keyboard);
            keyboard_end(&system);
        }
}

struct scribbler {
    struct kbdback *keyboard;
    unsigned seed;
    bool wild; /* the index too */
    volatile bool stops;
};

static void scribble_once(struct scribbler *scribbler)
{
    struct xenkbd_page *page = scribbler->keyboard->page;
    union xenkbd_in_event event;

    if (!page)
        return;
    for (unsigned i = 0; i < sizeof(event) / 8; i++)
        ((uint64_t *)&event)[i] = random_value();
    if (random_below(8))
        event.type = (uint8_t)random_below(7);
    if (event.type == XENKBD_TYPE_KEY && random_below(4))
        event.key.keycode = random_below(0x120);
    if (event.type == XENKBD_TYPE_MTOUCH && random_below(4)) {
        event.mtouch.event_type = (uint8_t)random_below(6);
        event.mtouch.contact_id = (uint8_t)random_below(8);
    }
    memcpy(&XENKBD_IN_RING_REF(page, random_below(XENKBD_IN_RING_LEN)), &event, sizeof(event));
    if (scribbler->wild && !random_below(200))
        page->in_prod = (uint32_t)random_value();
    else
        page->in_prod = __atomic_load_n(&page->in_cons, __ATOMIC_SEQ_CST) + random_below(XENKBD_IN_RING_LEN + 1);
}

static void *scribble(void *context)
{
    struct scribbler *scribbler = context;

    random_seed(scribbler->seed);
    while (!scribbler->stops) {
        hv_lock(); /* so that the ring is there; the processors read it without */
        for (unsigned i = 0; i < 40; i++)
            scribble_once(scribbler);
        hv_unlock();
        hv_notify(scribbler->keyboard->port);
        usleep(300); /* the kernel here waits for DPCs until there are none at all */
    }
    return NULL;
}

static void drop_reports(void)
{
    struct nt_hid_report report;

    while (nt_hid_take(&report)) {
    }
}

/* Whatever stands in the ring, the reports are ones that the descriptor allows (the class looks at each), and at the
 * end nothing is down. */
static void survives_noise_in_its_ring(void)
{
    for (unsigned round = 0; round < 10; round++) {
        struct scribbler scribbler = {.seed = round + 1, .wild = round & 1};
        struct system system;
        pthread_t thread;

        keyboard_boot(1 + 3 * (round & 2) / 2);
        scribbler.keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS, .careless = true});
        if (pthread_create(&thread, NULL, scribble, &scribbler))
            nt_bug("no thread");
        for (unsigned i = 0; i < 40; i++) {
            nt_hid_cancel();
            nt_hid_hold(i & 1);
            usleep(500);
            drop_reports();
        }
        nt_hid_hold(false);
        scribbler.stops = true;
        pthread_join(thread, NULL);
        nt_settle();
        drop_reports();
        if (scribbler.keyboard->page)
            kbdback_close(scribbler.keyboard);
        nt_settle();
        while (next_report())
            CHECK((report_id() != KEYBOARD || !keys_down()) && (report_id() != TOUCH || !value_of(PAGE_DIGITS, 0x42)));
        keyboard_end(&system);
    }
}

/* --- a ring that is never empty --- */

static struct kbdback *refilled;
static unsigned refills, reports_before_others;
static KDPC others_dpc;

static NT_ABI VOID others(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    reports_before_others = nt_hid_came();
}

static void refill(void)
{
    if (nt_hid_came() == 1)
        KeInsertQueueDpc(&others_dpc, NULL, NULL);
    while (refills && kbdback_move(refilled, 1, 0, 0))
        refills--;
}

/* It gets its turns, and others theirs. */
static void lets_others_run(void)
{
    struct system system;

    keyboard_boot(1);
    refilled = keyboard_run(&system, (struct kbdback){0});
    KeInitializeDpc(&others_dpc, others, NULL);
    refills = 2000;
    reports_before_others = 0;
    nt_hid_on_report = refill;
    CHECK(kbdback_move(refilled, 1, 0, 0));
    nt_settle();
    nt_hid_on_report = NULL;
    CHECK_EQUAL(2001, nt_hid_came());
    CHECK(reports_before_others > 1 && reports_before_others < 200, "%u", reports_before_others);
    keyboard_end(&system);
}

/* --- memory, races --- */

static void survives_failed_allocations(void)
{
    unsigned number = 0, asked;

    do {
        struct system system;
        struct kbdback *keyboard;

        number++;
        keyboard_boot(1);
        keyboard = kbdback_add((struct kbdback){PIXELS, FINGERS});
        system_load(&system, pvinput_file, "pvinput");
        nt_fail_allocation(number);
        system_start(&system);
        nt_settle();
        asked = nt_allocations();
        nt_fail_allocation(0);
        CHECK(!keyboard->page || (kbdback_key(keyboard, KEY_A, true) && next_report()), "%u", number);
        keyboard_end(&system);
    } while (number <= asked);
    CHECK(number > 4, "%u", number);
}

/* Four processors, reads that are cancelled meanwhile, and a back end that hurries: every key comes, in order. */
static void races(void)
{
    const unsigned codes[] = {KEY_A, KEY_B, KEY_C, KEY_D, KEY_E};
    struct system system;
    struct kbdback *keyboard;
    struct nt_hid_report report;
    unsigned sent = 0, seen = 0, before = 0, idle = 0;

    keyboard_boot(4);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    while (seen < 4000) {
        while (sent < 4000 && kbdback_key(keyboard, codes[sent / 2 % 5], !(sent & 1)))
            sent++;
        if (!(sent % 7))
            nt_hid_cancel();
        if (!(sent % 11))
            nt_settle();
        for (; nt_hid_take(&report); seen++) {
            CHECK_EQUAL(KEYBOARD, report.data[0]);
            CHECK_EQUAL(seen & 1 ? 0 : 4 + seen / 2 % 5, report.data[3], "%u", seen);
        }
        idle = sent + seen == before ? idle + 1 : 0;
        before = sent + seen;
        if (idle)
            nt_settle();
        CHECK(idle < 10, "%u of %u", seen, sent);
    }
    CHECK_EQUAL(0, nt_hid_reads_failed());
    keyboard_end(&system);
}

/* It goes while keys come, of a back end that has not let go of the ring. */
static void is_taken_away_while_keys_come(void)
{
    for (unsigned round = 0; round < 40; round++) {
        struct scribbler scribbler = {.seed = round + 1};
        struct system system;
        pthread_t thread;

        keyboard_boot(4);
        scribbler.keyboard = keyboard_run(&system, (struct kbdback){PIXELS, FINGERS, .careless = true});
        nt_hid_cancels = round & 1;
        if (pthread_create(&thread, NULL, scribble, &scribbler))
            nt_bug("no thread");
        usleep(random_below(3000));
        CHECK_EQUAL(STATUS_SUCCESS,
                    nt_pnp(system.device, round & 2 ? IRP_MN_STOP_DEVICE : IRP_MN_SURPRISE_REMOVAL, NULL, NULL));
        scribbler.stops = true;
        pthread_join(thread, NULL);
        kbdback_forget(scribbler.keyboard); /* of a device that was pulled out it hears nothing */
        keyboard_end(&system);
    }
}

static const struct unit_test tests[] = {
    {"connects and leaves", connects_and_leaves},
    {"starts without a back end", starts_without_a_back_end},
    {"releases when the back end closes", releases_when_the_back_end_closes},
    {"releases when the back end begins anew", releases_when_the_back_end_begins_anew},
    {"releases at a suspend", releases_at_a_suspend},
    {"releases when it is powered down", releases_when_it_is_powered_down},
    {"closes on an index that ran away", closes_on_an_index_that_ran_away},
    {"survives odd nodes", survives_odd_nodes},
    {"survives noise in its ring", survives_noise_in_its_ring},
    {"lets others run", lets_others_run},
    {"survives failed allocations", survives_failed_allocations},
    {"races", races},
    {"is taken away while keys come", is_taken_away_while_keys_come},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvinput_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
