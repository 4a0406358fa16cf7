/* Guest definitions and the guest's state machine. */
#include "directory.h"
#include "errors.h"
#include "guest_config.h"
#include "guest_logs.h"
#include "guest_state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MINIMUM "[guest]\nslot=3\nkernel=/boot/vmlinuz\n"

static void test_full(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "work.conf",
                                       "[guest]\nname=Work\nslot=1\ncolour=#12aBff\ntype=pv\nmemory_mib=768\nvcpus=2\n"
                                       "kernel=/k\nramdisk=/r\ncmdline=root=/dev/xvda ro quiet\n"
                                       "disk=phy:/dev/vg/work; file:/images/home.img,xvdf,ro\nnetwork=bridge\n"
                                       "mac=00:16:3e:01:02:03\ndisplay=displif\nautostart=true\n");
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    (void)data;
    g_assert_no_error(error);
    g_assert_cmpstr(config->name, ==, "Work");
    g_assert_cmpuint(config->slot, ==, 1);
    g_assert_cmphex(config->colour, ==, 0x12abff);
    g_assert_cmpuint(config->memory_mib, ==, 768);
    g_assert_cmpuint(config->vcpus, ==, 2);
    g_assert_cmpstr(config->kernel, ==, "/k");
    g_assert_cmpstr(config->ramdisk, ==, "/r");
    g_assert_cmpstr(config->cmdline, ==, "root=/dev/xvda ro quiet");
    g_assert_cmpuint(config->disks->len, ==, 2);
    const struct guest_disk *first = g_ptr_array_index(config->disks, 0), *second = g_ptr_array_index(config->disks, 1);
    g_assert_cmpstr(first->target, ==, "/dev/vg/work");
    g_assert_cmpstr(first->vdev, ==, "xvda");
    g_assert_false(first->read_only);
    g_assert_cmpstr(second->target, ==, "/images/home.img");
    g_assert_cmpstr(second->vdev, ==, "xvdf");
    g_assert_true(second->read_only);
    g_assert_cmpstr(config->bridge, ==, "xenbr0");
    g_assert_cmpmem(config->mac, 6, "\x00\x16\x3e\x01\x02\x03", 6);
    g_assert_cmpint(config->display, ==, GUEST_DISPLAY_DISPLIF);
    g_assert_true(config->autostart);
    struct guest_config *copy = guest_config_copy(config);
    g_assert_true(guest_config_equal(config, copy));
    copy->memory_mib++;
    g_assert_false(guest_config_equal(config, copy));
    guest_config_free(copy);
    guest_config_free(config);
}

static void test_defaults(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "home.conf", MINIMUM);
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    (void)data;
    g_assert_no_error(error);
    g_assert_cmpstr(config->name, ==, "home");
    g_assert_cmpuint(config->memory_mib, ==, 512);
    g_assert_cmpuint(config->vcpus, ==, 1);
    g_assert_cmpstr(config->cmdline, ==, "");
    g_assert_null(config->ramdisk);
    g_assert_null(config->bridge);
    g_assert_cmpuint(config->disks->len, ==, 0);
    g_assert_cmpint(config->display, ==, GUEST_DISPLAY_FBIF);
    g_assert_false(config->autostart);
    g_assert_cmphex(config->colour, <=, 0xffffff);
    g_assert_cmpmem(config->mac, 6, "\0\0\0\0\0\0", 6);
    struct guest_config *again = guest_config_load(path, NULL);
    g_assert_true(guest_config_equal(config, again));
    guest_config_free(again);
    guest_config_free(config);
}

/* The text is refused, and the sentence names the file and the key. */
static void assert_refused(struct directory *directory, const char *text, const char *key)
{
    g_autofree char *path = write_file(directory, "x.conf", text);
    g_autoptr(GError) error = NULL;
    g_assert_null(guest_config_load(path, &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message + strlen(path), key));
}

static void test_refused(struct directory *directory, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *key;
    } cases[] = {
        {"[guest]\nslot=1\n", "kernel"},
        {MINIMUM "slot=\n", "slot"},
        {MINIMUM "slot=10\n", "slot"},
        {MINIMUM "slot=two\n", "slot"},
        {MINIMUM "slot=-1\n", "slot"},
        {MINIMUM "name=\n", "name"},
        {MINIMUM "name=a b\n", "name"},
        {MINIMUM "name=../x\n", "name"},
        {MINIMUM "name=Domain-0\n", "name"},
        {MINIMUM "name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "name"},
        {MINIMUM "colour=red\n", "colour"},
        {MINIMUM "colour=#12345\n", "colour"},
        {MINIMUM "colour=#12345g\n", "colour"},
        {MINIMUM "colour=#-12345\n", "colour"},
        {MINIMUM "type=vm\n", "type"},
        {"[guest]\nslot=1\ntype=pvh\n", "kernel"},
        {MINIMUM "firmware=bios\n", "firmware"},
        {MINIMUM "type=pvh\nboot=d\n", "boot"},
        {MINIMUM "type=hvm\nfirmware=coreboot\n", "firmware"},
        {MINIMUM "type=hvm\nboot=x\n", "boot"},
        {MINIMUM "type=hvm\nboot=\n", "boot"},
        {MINIMUM "type=hvm\ndisk=phy:/dev/a,hde\n", "disk"},
        {MINIMUM "disk=phy:/dev/a,cdrom\n", "disk"},
        {MINIMUM "memory_mib=31\n", "memory_mib"},
        {MINIMUM "memory_mib=99999999999999999999\n", "memory_mib"},
        {MINIMUM "memory_mib=512M\n", "memory_mib"},
        {MINIMUM "vcpus=0\n", "vcpus"},
        {MINIMUM "vcpus=33\n", "vcpus"},
        {MINIMUM "kernel=vmlinuz\n", "kernel"},
        {MINIMUM "ramdisk=initrd\n", "ramdisk"},
        {MINIMUM "disk=image.raw\n", "disk"},
        {MINIMUM "disk=phy:/dev/a,hda\n", "disk"},
        {MINIMUM "disk=phy:/dev/a,xvda;phy:/dev/b,xvda\n", "disk"},
        {MINIMUM "network=../../x\n", "network"},
        {MINIMUM "network=aaaaaaaaaaaaaaaa\n", "network"},
        {MINIMUM "mac=00:16:3e:01:02\n", "mac"},
        {MINIMUM "mac=01:16:3e:01:02:03\n", "mac"},
        {MINIMUM "mac=00:16:3e:01:02:zz\n", "mac"},
        {MINIMUM "mac=00:00:00:00:00:00\n", "mac"},
        {MINIMUM "display=vga\n", "display"},
        {MINIMUM "autostart=maybe\n", "autostart"},
        {MINIMUM "memory=512\n", "memory"},
        {"[gast]\nslot=1\n", "guest"},
        {"no key file\n", ""},
        {"", "guest"},
    };
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused(directory, cases[i].text, cases[i].key);
}

/* What goes with a PC alone, and what with none. */
static void test_refused_pc(struct directory *directory, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *key;
    } cases[] = {
        {MINIMUM "type=hvm\nfirmware=uefi\nboot=dc\n", "boot"},
        {"[guest]\nslot=1\ntype=hvm\nramdisk=/r\n", "ramdisk"},
        {"[guest]\nslot=1\ntype=hvm\ncmdline=quiet\n", "cmdline"},
        {MINIMUM "cdrom=/a.iso\n", "cdrom"},
        {MINIMUM "type=hvm\ncdrom=a.iso\n", "cdrom"},
        {MINIMUM "type=hvm\ncdrom=/a,b.iso\n", "cdrom"},
        {MINIMUM "type=hvm\ncdrom=\n", "cdrom"},
        {MINIMUM "type=hvm\ncdrom=empty\ndisk=/a,hdc\n", "cdrom"},
        {MINIMUM "type=hvm\nclock=europe\n", "clock"},
        {MINIMUM "type=pvh\nclock=local\n", "clock"},
        {MINIMUM "uuid=\n", "uuid"},
        {MINIMUM "uuid=6f0a2f5c-8a51-4f0e-9d39-3d0b6a1c7e4\n", "uuid"},
        {MINIMUM "uuid=00000000-0000-0000-0000-000000000000\n", "uuid"},
    };
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused(directory, cases[i].text, cases[i].key);
}

/* A whole PC: it needs no kernel, and its screen is QEMU's unless the definition says otherwise. */
static void test_hvm(struct directory *directory, gconstpointer data)
{
    static const char text[] = "[guest]\nslot=4\ntype=hvm\nfirmware=uefi\nboot=cdn\n"
                               "disk=phy:/dev/a,hda;file:/install.iso,hdc,cdrom\n";
    g_autofree char *path = write_file(directory, "pc.conf", text);
    struct guest_config *config = guest_config_load(path, NULL), *copy = guest_config_copy(config);
    (void)data;
    g_assert_nonnull(config);
    g_assert_true(config->type == GUEST_HVM && config->firmware == GUEST_FIRMWARE_UEFI);
    g_assert_true(config->display == GUEST_DISPLAY_VGA && !config->kernel);
    g_assert_cmpstr(config->boot, ==, "cdn");
    const struct guest_disk *cd = g_ptr_array_index(config->disks, 1);
    g_assert_true(cd->cdrom && cd->read_only && g_str_equal(cd->vdev, "hdc"));
    g_assert_true(guest_config_equal(config, copy));
    copy->firmware = GUEST_FIRMWARE_BIOS;
    g_assert_false(guest_config_equal(config, copy));
    guest_config_free(copy);
    guest_config_free(config);

    path = (g_free(path), write_file(directory, "pc.conf", MINIMUM "type=hvm\ndisplay=fbif\n"));
    config = guest_config_load(path, NULL);
    g_assert_true(config->display == GUEST_DISPLAY_FBIF && config->firmware == GUEST_FIRMWARE_BIOS);
    guest_config_free(config);
    path = (g_free(path), write_file(directory, "pc.conf", MINIMUM "type=pvh\n"));
    config = guest_config_load(path, NULL);
    g_assert_true(config->type == GUEST_PVH && config->display == GUEST_DISPLAY_FBIF);
    guest_config_free(config);
}

static void test_long_cmdline(struct directory *directory, gconstpointer data)
{
    g_autofree char *fits = g_strnfill(1023, 'x'), *long_one = g_strnfill(1024, 'x');
    g_autofree char *good = g_strconcat(MINIMUM "cmdline=", fits, "\n", NULL);
    g_autofree char *bad = g_strconcat(MINIMUM "cmdline=", long_one, "\n", NULL);
    g_autofree char *path = write_file(directory, "x.conf", good);
    struct guest_config *config = guest_config_load(path, NULL);
    (void)data;
    g_assert_nonnull(config);
    guest_config_free(config);
    g_free(write_file(directory, "x.conf", bad));
    g_assert_null(guest_config_load(path, NULL));
}

static void test_directory(struct directory *directory, gconstpointer data)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    (void)data;
    g_free(write_file(directory, "a.conf", "[guest]\nslot=5\nkernel=/k\n"));
    g_free(write_file(directory, "b.conf", "[guest]\nslot=2\nkernel=/k\n"));
    g_free(write_file(directory, "c.conf", "[guest]\nslot=2\nkernel=/k\n"));
    g_free(write_file(directory, "d.conf", "[guest]\nslot=3\nname=a\nkernel=/k\n"));
    g_free(write_file(directory, "e.conf", "[guest]\nslot=99\nkernel=/k\n"));
    g_free(write_file(directory, "f.conf~", "[guest]\nslot=4\nkernel=/k\n"));
    g_free(write_file(directory, ".g.conf", "[guest]\nslot=4\nkernel=/k\n"));
    g_free(write_file(directory, "z.conf", "[guest]\nkernel=/k\n"));
    g_free(write_file(directory, "h.conf", "[guest]\nslot=0\nkernel=/k\n"));
    g_autoptr(GPtrArray) configs = guest_config_load_directory(directory->path, problems);
    static const char *const order[] = {"b", "a", "h", "z"};
    g_assert_cmpuint(configs->len, ==, G_N_ELEMENTS(order));
    for (guint i = 0; i < configs->len; i++)
        g_assert_cmpstr(((struct guest_config *)g_ptr_array_index(configs, i))->name, ==, order[i]);
    g_assert_cmpuint(problems->len, ==, 3);
    g_assert_nonnull(strstr(g_ptr_array_index(problems, 0), "c.conf is left out. It has the same slot"));
    g_assert_nonnull(strstr(g_ptr_array_index(problems, 1), "d.conf is left out. It has the same name"));
    g_assert_nonnull(strstr(g_ptr_array_index(problems, 2), "e.conf cannot be used"));
}

static void test_no_directory(void)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) configs = guest_config_load_directory("/nonexistent/guests", problems);
    g_assert_cmpuint(configs->len, ==, 0);
    g_assert_cmpuint(problems->len, ==, 0);
}

/* ---- logs ---- */

static void test_logs(struct directory *directory, gconstpointer data)
{
    g_autofree char *text = g_malloc(GUEST_LOG_MAX + 2), *now = NULL;
    gsize length;
    (void)data;
    memset(text, 'a', GUEST_LOG_MAX + 1);
    text[GUEST_LOG_MAX] = 'z';
    text[GUEST_LOG_MAX + 1] = '\0';
    g_autofree char *large = write_file(directory, "guest-large.log", text);
    text[GUEST_LOG_MAX] = '\0';
    g_autofree char *small = write_file(directory, "guest-small.log", text);
    text[GUEST_LOG_MAX] = 'z';
    g_autofree char *other = write_file(directory, "other", text);
    g_autofree char *link = g_build_filename(directory->path, "link.log", NULL);
    g_assert_cmpint(symlink(other, link), ==, 0);
    int writer = open(large, O_WRONLY | O_APPEND | O_CLOEXEC);

    guest_logs_trim(directory->path);
    g_assert_cmpint(write(writer, "more", 4), ==, 4);
    close(writer);
    g_assert_true(g_file_get_contents(large, &now, &length, NULL));
    g_assert_cmpuint(length, ==, GUEST_LOG_KEPT + 4);
    g_assert_cmpstr(now + GUEST_LOG_KEPT - 1, ==, "zmore");
    struct stat status;
    g_assert_true(stat(small, &status) == 0 && status.st_size == GUEST_LOG_MAX);
    g_assert_true(stat(other, &status) == 0 && status.st_size == GUEST_LOG_MAX + 1);
    guest_logs_trim("/nonexistent");
}

/* ---- states ---- */

static enum guest_state after(enum guest_state state, const enum guest_event *events, gsize count)
{
    for (gsize i = 0; i < count; i++)
        state = guest_state_next(state, events[i]);
    return state;
}

#define AFTER(...)                                                                                                     \
    after(GUEST_OFF, (const enum guest_event[]){__VA_ARGS__},                                                          \
          sizeof((const enum guest_event[]){__VA_ARGS__}) / sizeof(enum guest_event))

static void test_lives(void)
{
    g_assert_cmpint(AFTER(EVENT_START), ==, GUEST_STARTING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_START_FAILED), ==, GUEST_OFF);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED), ==, GUEST_RUNNING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_PAUSED), ==, GUEST_PAUSED);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_PAUSED, EVENT_RESUMED), ==, GUEST_RUNNING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP), ==, GUEST_STOPPING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_GONE), ==, GUEST_OFF);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_CRASHED), ==, GUEST_CRASHED);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_CRASHED, EVENT_START), ==, GUEST_STARTING);
    /* A guest that was asked in vain runs on, may be asked again, and may still end. */
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_OVERDUE), ==, GUEST_UNRESPONSIVE);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_OVERDUE, EVENT_STOP), ==, GUEST_STOPPING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_OVERDUE, EVENT_GONE), ==, GUEST_OFF);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_OVERDUE), ==, GUEST_RUNNING);
    /* A save ends in a state on the disk, in a guest that runs on, or, if another tool made it, in one that is off. */
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_SUSPEND), ==, GUEST_SUSPENDING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_SUSPEND, EVENT_SUSPENDED), ==, GUEST_SUSPENDED);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_SUSPEND, EVENT_RESUMED), ==, GUEST_RUNNING);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_SUSPEND, EVENT_GONE), ==, GUEST_OFF);
    g_assert_cmpint(AFTER(EVENT_SUSPENDED, EVENT_START, EVENT_STARTED), ==, GUEST_RUNNING);
    g_assert_cmpint(AFTER(EVENT_SUSPENDED, EVENT_START, EVENT_SUSPENDED), ==, GUEST_SUSPENDED);
    g_assert_cmpint(AFTER(EVENT_SUSPENDED, EVENT_GONE), ==, GUEST_OFF);
    /* The end overtakes the answer to the unpause. */
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STOP, EVENT_STARTED), ==, GUEST_STOPPING);
    /* A crash is one at once, and stays one while what is left is taken away. */
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_CRASHED, EVENT_STOP), ==, GUEST_CRASHED);
    g_assert_cmpint(AFTER(EVENT_START, EVENT_CRASHED, EVENT_STARTED), ==, GUEST_CRASHED);
    /* The end overtakes the answer to a pause. */
    g_assert_cmpint(AFTER(EVENT_START, EVENT_STARTED, EVENT_STOP, EVENT_PAUSED), ==, GUEST_STOPPING);
}

/* Whatever arrives, a guest without a domain is not believed to run. */
static void test_no_resurrection(void)
{
    static const enum guest_state without[] = {GUEST_OFF, GUEST_CRASHED};
    for (gsize i = 0; i < G_N_ELEMENTS(without); i++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            enum guest_state next = guest_state_next(without[i], event);
            gboolean saved = event == EVENT_SUSPENDED && without[i] == GUEST_OFF;
            g_assert_cmpint(next, ==, event == EVENT_START ? GUEST_STARTING : saved ? GUEST_SUSPENDED : without[i]);
        }
    }
}

static void test_requests(void)
{
    static const char *const expected[GUEST_STATE_COUNT] = {
        [GUEST_OFF] = "start",
        [GUEST_STARTING] = "switch",
        [GUEST_RUNNING] = "shutdown reboot destroy pause suspend switch",
        [GUEST_PAUSED] = "destroy unpause switch",
        [GUEST_STOPPING] = "destroy switch",
        [GUEST_UNRESPONSIVE] = "shutdown reboot destroy pause suspend switch",
        [GUEST_SUSPENDING] = "destroy switch",
        [GUEST_SUSPENDED] = "start destroy",
        [GUEST_CRASHED] = "start",
    };
    static const char *const names[REQUEST_COUNT] = {
        [REQUEST_START] = "start",     [REQUEST_SHUTDOWN] = "shutdown", [REQUEST_REBOOT] = "reboot",
        [REQUEST_DESTROY] = "destroy", [REQUEST_PAUSE] = "pause",       [REQUEST_UNPAUSE] = "unpause",
        [REQUEST_SUSPEND] = "suspend", [REQUEST_SWITCH] = "switch",
    };
    for (int state = 0; state < GUEST_STATE_COUNT; state++) {
        g_autoptr(GString) words = g_string_new("");
        for (int request = 0; request < REQUEST_COUNT; request++) {
            g_autoptr(GError) error = NULL;
            gboolean allowed = guest_state_check(state, request, "Work", &error);
            g_assert_true(allowed == guest_state_allows(state, request));
            if (allowed)
                g_string_append_printf(words, "%s%s", words->len ? " " : "", names[request]);
            else
                g_assert_error(error, RH_ERROR, RH_ERROR_WRONG_STATE);
            g_assert_true(allowed || g_str_has_prefix(error->message, "Work is ") ||
                          g_str_has_prefix(error->message, "Work has ") ||
                          g_str_has_prefix(error->message, "Work does not answer. Shut it down once more"));
        }
        g_assert_cmpstr(words->str, ==, expected[state]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_WITH_DIRECTORY("/config/full", test_full);
    ADD_WITH_DIRECTORY("/config/defaults", test_defaults);
    ADD_WITH_DIRECTORY("/config/refused", test_refused);
    ADD_WITH_DIRECTORY("/config/refused-pc", test_refused_pc);
    ADD_WITH_DIRECTORY("/config/hvm", test_hvm);
    ADD_WITH_DIRECTORY("/config/long-cmdline", test_long_cmdline);
    ADD_WITH_DIRECTORY("/config/directory", test_directory);
    ADD_WITH_DIRECTORY("/logs/trim", test_logs);
    g_test_add_func("/config/no-directory", test_no_directory);
    g_test_add_func("/state/lives", test_lives);
    g_test_add_func("/state/no-resurrection", test_no_resurrection);
    g_test_add_func("/state/requests", test_requests);
    return g_test_run();
}
