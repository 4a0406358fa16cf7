/* The toolstack and domains that are there: what is asked of them, how they are saved and get another CD, and how they
 * end. */
#include "toolstack_rig.h"
#include "saved_state.h"

#include <glib/gstdio.h>
#include <string.h>

static void test_operations(void)
{
    static const struct {
        enum toolstack_operation operation;
        enum libxl_fake_call call;
    } all[] = {{TOOLSTACK_PAUSE, FAKE_PAUSE},   {TOOLSTACK_UNPAUSE, FAKE_UNPAUSE}, {TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
               {TOOLSTACK_REBOOT, FAKE_REBOOT}, {TOOLSTACK_RESUME, FAKE_RESUME},   {TOOLSTACK_DESTROY, FAKE_DESTROY}};
    setup();
    int contexts = libxl_fake.contexts;
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        libxl_fake.call = FAKE_NONE;
        libxl_fake.result = 0;
        g_assert_null(operate(all[i].operation));
        g_assert_cmpint(libxl_fake.call, ==, all[i].call);
        g_assert_cmpuint(libxl_fake.domid, ==, 7);
        g_assert_true(was_killed() == (all[i].operation == TOOLSTACK_DESTROY));
        libxl_fake.result = ERROR_FAIL;
        libxl_fake.complaint = "it resists";
        expect(operate(all[i].operation), "it resists");
        libxl_fake.result = ERROR_DOMAIN_NOTFOUND;
        g_autofree char *gone = operate(all[i].operation);
        g_assert_true((gone == NULL) == (all[i].operation == TOOLSTACK_DESTROY));
    }
    while (g_atomic_int_get(&libxl_fake.contexts) > contexts)
        g_usleep(1000);
    teardown();
}

/* What a guest of this type, which writes this into control/, is asked by. */
static enum libxl_fake_call asked_by(libxl_domain_type type, const char *feature, const char *value,
                                     enum toolstack_operation operation)
{
    g_autofree char *path = g_strdup_printf("/local/domain/7/control/%s", feature);
    libxl_fake.info.domid = 7;
    libxl_fake.info.domain_type = type;
    libxl_fake.store_path = path;
    libxl_fake.store_value = value;
    libxl_fake.call = FAKE_NONE;
    g_assert_null(operate(operation));
    g_assert_cmpuint(libxl_fake.domid, ==, 7);
    libxl_fake.store_path = NULL;
    return libxl_fake.call;
}

/* A PC whose system has no Xen driver that listens is asked by its power button. */
static void test_power_button(void)
{
    static const struct {
        libxl_domain_type type;
        const char *feature, *value;
        enum toolstack_operation operation;
        enum libxl_fake_call call;
    } cases[] = {
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "1", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "0", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-reboot", "1", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-reboot", "1", TOOLSTACK_REBOOT, FAKE_REBOOT},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "1", TOOLSTACK_REBOOT, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_PV, "other", "", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_PVH, "other", "", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_PVH, "other", "", TOOLSTACK_REBOOT, FAKE_REBOOT},
    };
    setup();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(asked_by(cases[i].type, cases[i].feature, cases[i].value, cases[i].operation), ==,
                        cases[i].call);
    teardown();
}

/* libxl that waits for a device model without end is helped, by the end of its processes. */
static void test_destroy_hangs(void)
{
    setup();
    libxl_fake.destroy_hangs = TRUE;
    g_assert_null(operate(TOOLSTACK_DESTROY));
    g_assert_true(was_killed());
    teardown();
}

/* libxl repeats what a device model says. People read it, and the bus ends the connection of who sends what is no
 * UTF-8. */
static void test_words(void)
{
    setup();
    g_autofree char *endless = g_strnfill(100000, 'x');
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "QMP: \xff\x1b[2J\n";
    g_autofree char *sentence = operate(TOOLSTACK_PAUSE);
    g_assert_true(g_utf8_validate(sentence, -1, NULL));
    g_assert_nonnull(strstr(sentence, "QMP:"));
    g_assert_null(strpbrk(sentence, "\x1b\n"));
    libxl_fake.complaint = endless;
    g_autofree char *shorter = operate(TOOLSTACK_PAUSE);
    g_assert_cmpuint(strlen(shorter), <, 300);
    teardown();
}

/* ---- tests: suspend to disk ---- */

static char *save(struct guest_config *wanted, const char *saved)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    libxl_fake.call = FAKE_NONE;
    toolstack_save(toolstack, wanted, 7, saved, take_result, &result);
    guest_config_free(wanted);
    g_assert_true(toolstack_save_finish(toolstack, wait_for(&result), &error) == (error == NULL));
    return error ? g_strdup(error->message) : NULL;
}

static void check_resumed(const libxl_domain_config *domain)
{
    g_assert_cmpint(domain->c_info.type, ==, LIBXL_DOMAIN_TYPE_PV);
    g_assert_nonnull(libxl_fake.restored);
}

/* What libxl writes is what it gets back, and a guest that was not saved goes on. */
static void test_save(void)
{
    int domid;
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    struct guest_config *wanted = NULL;
    setup();
    g_autofree char *saved = g_build_filename(folder, "saved", NULL);
    libxl_fake.stream = "a stream";
    libxl_fake.suspend_result = ERROR_FAIL;
    libxl_fake.complaint = "no suspend today";
    expect(save(config(GUEST_PV, NULL), saved), "no suspend today. It runs on. Try again");
    g_assert_cmpint(libxl_fake.call, ==, FAKE_RESUME);
    g_assert_false(saved_state_there(saved, "work") || saved_state_drop(saved, "work"));
    libxl_fake.result = ERROR_FAIL;
    expect(save(config(GUEST_PV, NULL), saved), "It stands still now. Force it off.");
    libxl_fake.suspend_result = libxl_fake.result = 0;
    expect(save(config(GUEST_PV, NULL), "/proc/none"), "no place for suspended guests");
    g_assert_cmpint(libxl_fake.call, ==, FAKE_NONE); /* it was not touched */
    g_assert_null(save(config(GUEST_PV, NULL), saved));
    g_assert_cmpint(libxl_fake.call, ==, FAKE_NONE);
    g_assert_true(saved_state_there(saved, "work"));

    struct guest_config *now = config(GUEST_PV, NULL);
    int fd = saved_state_open(saved, now, &wanted, &error);
    guest_config_free(now);
    unsigned before = open_descriptors();
    libxl_fake.created = check_resumed;
    toolstack_create(toolstack, wanted, (struct guest_screen){1280, 800}, fd, take_result, &result);
    guest_config_free(wanted);
    domid = toolstack_create_finish(toolstack, wait_for(&result), &error);
    g_assert_no_error(error);
    g_assert_cmpint(domid, ==, 7);
    g_assert_cmpstr(libxl_fake.restored->str, ==, "a stream");
    g_string_free(libxl_fake.restored, TRUE);
    g_clear_object(&result);
    while (open_descriptors() >= before)
        g_usleep(1000);
    g_assert_true(saved_state_forget(saved, "work", NULL));
    g_rmdir(saved);
    teardown();
}

/* ---- tests: another CD ---- */

static char *change_cd(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    toolstack_change_cd(toolstack, 7, path, take_result, &result);
    g_assert_true(toolstack_change_cd_finish(toolstack, wait_for(&result), &error) == (error == NULL));
    return error ? g_strdup(error->message) : NULL;
}

static const char *wanted_cd;

static void check_inserted(const libxl_device_disk *disk)
{
    g_assert_cmpstr(disk->vdev, ==, GUEST_CDROM_VDEV);
    g_assert_cmpstr(disk->pdev_path, ==, wanted_cd);
    g_assert_cmpint(disk->format, ==, wanted_cd ? LIBXL_DISK_FORMAT_RAW : LIBXL_DISK_FORMAT_EMPTY);
    g_assert_cmpint(disk->backend, ==, LIBXL_DISK_BACKEND_QDISK);
    g_assert_true(disk->is_cdrom && !disk->readwrite);
}

static void check_none(const libxl_device_disk *disk)
{
    g_error("%s was put in", disk->pdev_path);
}

/* A file goes in, nothing does, and nothing else. */
static void test_change_cd(void)
{
    setup();
    libxl_fake.inserted = check_inserted;
    wanted_cd = image;
    g_assert_null(change_cd(image));
    wanted_cd = NULL;
    g_assert_null(change_cd(GUEST_CDROM_EMPTY));
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "the door is locked";
    expect(change_cd(GUEST_CDROM_EMPTY), "the door is locked. Take the CD out in the guest first");
    libxl_fake.inserted = check_none;
    expect(change_cd("/dev/null"), "/dev/null is no image file");
    expect(change_cd("/nonexistent.iso"), "/nonexistent.iso is no image file");
    teardown();
}

/* ---- tests: ends ---- */

static void next_end(void)
{
    unsigned before = ended.count;
    while (ended.count == before)
        g_main_context_iteration(NULL, TRUE);
}

static void test_ends(void)
{
    static const struct {
        int reason;
        enum toolstack_end end;
    } reasons[] = {{LIBXL_SHUTDOWN_REASON_POWEROFF, TOOLSTACK_END_POWEROFF},
                   {LIBXL_SHUTDOWN_REASON_REBOOT, TOOLSTACK_END_REBOOT},
                   {LIBXL_SHUTDOWN_REASON_CRASH, TOOLSTACK_END_CRASH},
                   {LIBXL_SHUTDOWN_REASON_WATCHDOG, TOOLSTACK_END_CRASH},
                   {255, TOOLSTACK_END_CRASH}};
    g_autoptr(GError) error = NULL;
    int domid;
    setup();
    g_autofree char *disk = g_strdup_printf("%s,xvda,rw", image);
    g_assert_null(create(config(GUEST_PV, NULL), &domid)); /* GLib opens what it keeps */
    unsigned before = open_descriptors();
    g_assert_null(create(config(GUEST_PV, disk), &domid));
    g_assert_true(toolstack_watch(toolstack, 7, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
        libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, reasons[i].reason);
        next_end();
        g_assert_cmpint(ended.domid, ==, 7);
        g_assert_cmpint(ended.end, ==, reasons[i].end);
    }
    g_assert_cmpuint(open_descriptors(), >, before); /* the loop device lives with the domain */
    g_assert_cmpuint(libxl_fake.watches, ==, 1);
    g_assert_false(was_killed());
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_DEATH, 7, 0);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_VANISHED);
    g_assert_cmpuint(libxl_fake.watches, ==, 0);
    g_assert_true(was_killed());
    while (open_descriptors() > before)
        g_usleep(1000);
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "no watch";
    g_assert_false(toolstack_watch(toolstack, 8, &error));
    expect(g_strdup(error->message), "no watch");
    teardown();
}

/* A suspend is no end; when the domain goes on, its end is waited for anew, for a watch tells of one only. */
static void test_suspended(void)
{
    g_autoptr(GError) error = NULL;
    setup();
    libxl_fake.info.domid = 7;
    libxl_fake.info.shutdown = true;
    libxl_fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    g_assert_true(toolstack_watch(toolstack, 7, &error));
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_SUSPEND);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_SUSPENDED);
    for (gint64 until = g_get_monotonic_time() + 200000; g_get_monotonic_time() < until; g_usleep(5000))
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(ended.count, ==, 1);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 1);
    libxl_fake.info.shutdown = false;
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_RESUMED);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 2);
    g_assert_cmpuint(libxl_fake.watches, ==, 1);
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_POWEROFF);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_POWEROFF);
    libxl_fake.info.shutdown = true;
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_SUSPEND);
    next_end();
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_DEATH, 7, 0);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_VANISHED);
    g_assert_cmpuint(libxl_fake.watches, ==, 0);
    libxl_fake.info.shutdown = false; /* the next one of this number is another one */
    for (gint64 until = g_get_monotonic_time() + 100000; g_get_monotonic_time() < until; g_usleep(5000))
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 2);
    teardown();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
    g_test_add_func("/toolstack/operations", test_operations);
    g_test_add_func("/toolstack/power-button", test_power_button);
    g_test_add_func("/toolstack/words", test_words);
    g_test_add_func("/toolstack/destroy-hangs", test_destroy_hangs);
    g_test_add_func("/toolstack/ends", test_ends);
    g_test_add_func("/toolstack/save", test_save);
    g_test_add_func("/toolstack/change-cd", test_change_cd);
    g_test_add_func("/toolstack/suspended", test_suspended);
    return g_test_run();
}
