/* The objects on the bus: their paths, the object manager, guests made and changed on request. */
#include "service.h"

#include <string.h>

/* Names that differ make paths that differ, whatever they hold, and a new slot leaves the object where it is. */
static void test_paths(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL, *other = NULL;
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "a-b.c_d", 1, "");
    define(fixture, "a_2db_2ec_5fd", 2, "");
    start_service(fixture);
    rh_manager1_call_get_guest_sync(fixture->manager, "a-b.c_d", &path, NULL, &error);
    g_assert_cmpstr(path, ==, "/org/roundhouse/guests/a_2db_2ec_5fd");
    rh_manager1_call_get_guest_sync(fixture->manager, "a_2db_2ec_5fd", &other, NULL, &error);
    g_assert_cmpstr(other, ==, "/org/roundhouse/guests/a_5f2db_5f2ec_5f5fd");
    g_autoptr(RhGuest1) moved = guest(fixture, "a-b.c_d");
    define(fixture, "a-b.c_d", 5, "");
    WAIT_FOR(rh_guest1_get_slot(moved) == 5);
    g_assert_cmpuint(guest_count(fixture), ==, 2);
}

/* Guests come and go as objects, with all their properties. */
static void test_object_manager(struct fixture *fixture, gconstpointer data)
{
    GDBusObjectManager *objects;
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "work", 1, "type=hvm");
    start_service(fixture);
    objects = fixture->objects;
    g_autoptr(GDBusInterface) manager = g_dbus_object_manager_get_interface(objects, MANAGER_PATH, BUS_NAME);
    g_assert_nonnull(manager);
    g_autoptr(GDBusInterface) work =
        g_dbus_object_manager_get_interface(objects, "/org/roundhouse/guests/work", "org.roundhouse.Guest1");
    g_assert_cmpstr(rh_guest1_get_guest_type(RH_GUEST1(work)), ==, "hvm");
    define(fixture, "home", 0, "");
    GDBusInterface *home = NULL;
    WAIT_FOR(
        (home = g_dbus_object_manager_get_interface(objects, "/org/roundhouse/guests/home", "org.roundhouse.Guest1")));
    rh_guest1_call_start_sync(RH_GUEST1(home), NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(RH_GUEST1(home), "running") && rh_guest1_get_screen(RH_GUEST1(home)) > 1);
    rh_guest1_call_destroy_sync(RH_GUEST1(home), NULL, &error);
    undefine(fixture, "home");
    g_object_unref(home);
    GDBusObject *gone = NULL;
    WAIT_FOR(!(gone = g_dbus_object_manager_get_object(objects, "/org/roundhouse/guests/home")) ||
             (g_object_unref(gone), FALSE));
}

/* Guests without a slot run on screens that are free, nine at a time, and keep off those that others are going to want.
 */
static void test_without_slot(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "nine", 9, "");
    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("extra%u", i);
        define(fixture, name, 0, "memory_mib=64");
    }
    define(fixture, "blind", 0, "memory_mib=64\ndisplay=none");
    define(fixture, "radio", 0, "memory_mib=64\ndisplay=none\nsound=kept");
    start_service(fixture);
    g_assert_cmpuint(guest_count(fixture), ==, 13);
    for (unsigned i = 0; i < 9; i++) {
        g_autofree char *name = g_strdup_printf("extra%u", i);
        g_autoptr(RhGuest1) extra = guest(fixture, name);
        g_assert_true(rh_guest1_call_start_sync(extra, NULL, &error));
        WAIT_FOR(rh_guest1_get_screen(extra) == (i < 8 ? 8 - i : 9));
    }
    g_autoptr(RhGuest1) last = guest(fixture, "extra9"), blind = guest(fixture, "blind"),
                        first = guest(fixture, "extra0"), radio = guest(fixture, "radio");
    g_assert_false(rh_guest1_call_start_sync(last, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Display", "All 9 screens are taken");
    g_assert_true(rh_guest1_call_start_sync(blind, NULL, &error));
    g_assert_false(rh_guest1_call_switch_sync(blind, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Display", "has no screen");
    g_assert_true(rh_guest1_call_switch_sync(first, NULL, &error));
    WAIT_FOR(g_strcmp0(rh_manager1_get_focused_guest(fixture->manager), "/org/roundhouse/guests/extra0") == 0);
    g_assert_cmpuint(rh_manager1_get_focused_slot(fixture->manager), ==, 8);
    g_assert_true(rh_guest1_call_destroy_sync(first, NULL, &error));
    WAIT_FOR(is(first, "off") && rh_guest1_get_screen(first) == 0);
    g_assert_true(rh_guest1_call_start_sync(radio, NULL, &error)); /* what is heard has a place too */
    WAIT_FOR(rh_guest1_get_screen(radio) == 8);
    WAIT_FOR(g_strcmp0(rh_manager1_get_focused_guest(fixture->manager), "/") == 0);
}

/* The developer's image says so on the screen; the product's has no such file. */
static void test_notice(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    start_service(fixture);
    g_assert_cmpstr(rh_manager1_get_notice(fixture->manager), ==, "");
    stop_service(fixture);
    g_assert_true(g_file_set_contents(fixture->notice, " One line\nand another\n", -1, NULL));
    start_service(fixture);
    g_assert_cmpstr(rh_manager1_get_notice(fixture->manager), ==, "One line and another");
}

static GVariant *settings_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *settings = g_variant_parse(G_VARIANT_TYPE("a{sv}"), text, NULL, NULL, &error);
    g_assert_no_error(error);
    return settings;
}

static GVariant *no_disks(void)
{
    return g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0);
}

static char *contents(struct fixture *fixture, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s.conf", fixture->guests, name);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* The path of the guest that came of it. */
static char *create(struct fixture *fixture, const char *text)
{
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    RhJob1 *job = NULL;
    rh_manager1_call_create_guest_sync(fixture->manager, settings_of(text), no_disks(), NULL, &path, NULL, NULL,
                                       &error);
    g_assert_no_error(error);
    WAIT_FOR(job || (job = find_job(fixture, path)));
    WAIT_FOR(g_strcmp0(rh_job1_get_state(job), "running") != 0);
    g_assert_cmpstr(rh_job1_get_error(job), ==, "");
    g_assert_cmpstr(rh_job1_get_state(job), ==, "done");
    g_assert_cmpstr(rh_job1_get_kind(job), ==, "create");
    char *guest_path = g_strdup(rh_job1_get_result(job));
    g_object_unref(job);
    return guest_path;
}

static void refuse_creation(struct fixture *fixture, const char *text, const char *name, const char *sentence)
{
    g_autofree char *path = NULL;
    GError *error = NULL;
    g_assert_false(rh_manager1_call_create_guest_sync(fixture->manager, settings_of(text), no_disks(), NULL, &path,
                                                      NULL, NULL, &error));
    expect_error(error, name, sentence);
}

static void test_create(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "");
    start_service(fixture);
    g_autofree char *path = create(fixture, "{'name': <'my-desk'>, 'kernel': <'/k'>, 'memory_mib': <uint32 256>,"
                                            " 'slot': <int64 3>, 'autostart': <true>, 'network': <' bridge '>}");
    g_assert_cmpstr(path, ==, "/org/roundhouse/guests/my_2ddesk");
    WAIT_FOR(guest_count(fixture) == 2);
    g_autofree char *text = contents(fixture, "my-desk");
    g_assert_cmpstr(text, ==, "[guest]\nslot=3\nkernel=/k\nmemory_mib=256\nnetwork=xenbr0\nautostart=true\n");
    g_autoptr(RhGuest1) made = guest(fixture, "my-desk");
    g_assert_cmpuint(rh_guest1_get_memory(made), ==, 256 * 1024);
    g_assert_true(rh_guest1_call_start_sync(made, NULL, &error));
    WAIT_FOR(is(made, "running"));
}

/* Each sentence says which setting it is, and nothing is left of what was refused. */
static void test_create_refused(struct fixture *fixture, gconstpointer data)
{
    static const char bad[] = "org.roundhouse.Error.BadConfig";
    (void)data;
    define(fixture, "work", 1, "");
    start_service(fixture);
    g_autofree char *broken = g_build_filename(fixture->guests, "broken.conf", NULL);
    g_assert_true(g_file_set_contents(broken, "nonsense", -1, NULL));
    refuse_creation(fixture, "{'kernel': <'/k'>}", bad, "name: this setting is missing");
    refuse_creation(fixture, "{'name': <'../up'>, 'kernel': <'/k'>}", bad, "name: ");
    refuse_creation(fixture, "{'name': <'-x'>, 'kernel': <'/k'>}", bad, "name: \"-x\" must begin with");
    refuse_creation(fixture, "{'name': <'new'>}", bad, "kernel: this setting is missing.");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'k'>}", bad, "kernel: \"k\" must be a whole path");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'/k'>, 'slot': <10>}", bad,
                    "slot: \"10\" is not a number from 0 to 9.");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'/k'>, 'vcpu': <1>}", bad, "vcpu: there is no such setting");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'/k'>, 'vcpus': <[1]>}", bad, "vcpus: give text, a number");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'/k'>, 'firmware': <'uefi'>}", bad,
                    "firmware: this setting");
    refuse_creation(fixture, "{'name': <'work'>, 'kernel': <'/k'>}", "org.roundhouse.Error.NameInUse",
                    "name: there is a guest called \"work\" already");
    refuse_creation(fixture, "{'name': <'broken'>, 'kernel': <'/k'>}", "org.roundhouse.Error.NameInUse",
                    "broken.conf is there already");
    refuse_creation(fixture, "{'name': <'new'>, 'kernel': <'/k'>, 'slot': <1>}", "org.roundhouse.Error.SlotInUse",
                    "slot: 1 is work's; free are 2, 3, 4, 5, 6, 7, 8, 9, or 0 for none.");
    g_autofree char *left = contents(fixture, "new");
    g_assert_null(left);
    g_assert_cmpuint(guest_count(fixture), ==, 1);
}

/* What became of two wishes for one name. */
struct race {
    struct fixture *fixture;
    GPtrArray *jobs; /* paths */
    guint refused;
};

static void asked(GObject *source, GAsyncResult *result, gpointer data)
{
    struct race *race = data;
    char *path = NULL;
    GError *error = NULL;
    if (rh_manager1_call_create_guest_finish(RH_MANAGER1(source), &path, NULL, result, &error)) {
        g_ptr_array_add(race->jobs, path);
    } else {
        expect_error(error, "org.roundhouse.Error.NameInUse", "name: ");
        race->refused++;
    }
}

static guint jobs_in_state(const struct race *race, const char *state)
{
    guint count = 0;
    for (guint i = 0; i < race->jobs->len; i++) {
        g_autoptr(RhJob1) job = find_job(race->fixture, g_ptr_array_index(race->jobs, i));
        count += job && g_str_equal(rh_job1_get_state(job), state);
        if (job && g_str_equal(rh_job1_get_state(job), "failed"))
            g_assert_cmpstr(rh_job1_get_error_name(job), ==, "org.roundhouse.Error.NameInUse");
    }
    return count;
}

/* One has it; the other is refused, or its job says why not. */
static void test_create_twice(struct fixture *fixture, gconstpointer data)
{
    struct race race = {.fixture = fixture, .jobs = g_ptr_array_new_with_free_func(g_free)};
    (void)data;
    start_service(fixture);
    for (unsigned i = 0; i < 2; i++)
        rh_manager1_call_create_guest(fixture->manager, settings_of("{'name': <'new'>, 'kernel': <'/k'>}"), no_disks(),
                                      NULL, NULL, asked, &race);
    WAIT_FOR(race.refused + jobs_in_state(&race, "failed") + jobs_in_state(&race, "done") == 2);
    g_assert_cmpuint(jobs_in_state(&race, "done"), ==, 1);
    g_ptr_array_unref(race.jobs);
}

static GVariant *get_settings(RhGuest1 *guest)
{
    GVariant *settings = NULL;
    g_autoptr(GError) error = NULL;
    rh_guest1_call_get_settings_sync(guest, &settings, NULL, &error);
    g_assert_no_error(error);
    return settings;
}

static void test_settings(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    const char *text = NULL;
    guint32 number;
    gboolean flag;
    (void)data;
    define(fixture, "work", 1, "# mine\ncmdline=quiet\nvcpus=2\n");
    define(fixture, "home", 2, "");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_autoptr(GVariant) before = get_settings(work);
    g_assert_true(g_variant_lookup(before, "cmdline", "&s", &text) && g_str_equal(text, "quiet"));
    g_assert_true(g_variant_lookup(before, "vcpus", "u", &number) && number == 2);
    g_assert_true(g_variant_lookup(before, "autostart", "b", &flag) && !flag);
    g_assert_false(g_variant_lookup(before, "firmware", "s", NULL));

    rh_guest1_call_set_settings_sync(work, settings_of("{'memory_mib': <'300'>, 'vcpus': <''>, 'slot': <4>}"), NULL,
                                     &error);
    g_assert_no_error(error);
    WAIT_FOR(rh_guest1_get_memory(work) == 300 * 1024 && rh_guest1_get_vcpus(work) == 1 &&
             rh_guest1_get_slot(work) == 4);
    g_autofree char *file = contents(fixture, "work");
    g_assert_cmpstr(file, ==, "[guest]\nslot=4\nkernel=/boot/vmlinuz\n# mine\ncmdline=quiet\n\nmemory_mib=300\n");

    g_assert_false(
        rh_guest1_call_set_settings_sync(work, settings_of("{'memory_mib': <64>, 'slot': <2>}"), NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.SlotInUse", "slot: 2 is home's");
    g_assert_false(
        rh_guest1_call_set_settings_sync(work, settings_of("{'memory_mib': <64>, 'type': <'x'>}"), NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.BadConfig", "type: \"x\" is not one of");
    g_assert_false(rh_guest1_call_set_settings_sync(work, settings_of("{'name': <'other'>}"), NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.BadConfig",
                 "name: a guest gets another name by Rename");
    g_autofree char *same = contents(fixture, "work");
    g_assert_cmpstr(file, ==, same);
}

/* What the machine keeps of a guest under its name; NULL: nothing. */
static char *kept_address(struct fixture *fixture, const char *name)
{
    g_autofree char *path = g_build_filename(fixture->directory, "identities", name, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
    return g_key_file_get_string(file, "identity", "mac", NULL);
}

/* A guest that is called otherwise is the same machine; one that is called as it was is another. */
static void test_rename(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    const char *text = NULL;
    g_autofree char *path = NULL;
    (void)data;
    define(fixture, "work", 1, "# mine\n");
    define(fixture, "home", 2, "");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_false(rh_guest1_call_rename_sync(work, "home", &path, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.NameInUse", "name: there is a guest called \"home\"");
    g_assert_false(rh_guest1_call_rename_sync(work, "", &path, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.BadConfig", "name: ");
    g_assert_false(rh_guest1_call_rename_sync(work, "../x", &path, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.BadConfig", "name: \"../x\" must begin");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_false(rh_guest1_call_rename_sync(work, "play", &path, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is running. Shut it down first.");
    g_assert_true(rh_guest1_call_destroy_sync(work, NULL, &error));
    g_autofree char *mac = kept_address(fixture, "work");

    g_assert_true(rh_guest1_call_rename_sync(work, "play", &path, NULL, &error));
    g_autofree char *left = kept_address(fixture, "work");
    g_assert_null(left);
    g_assert_cmpstr(path, ==, "/org/roundhouse/guests/play");
    g_autoptr(RhGuest1) play = guest(fixture, "play");
    g_autoptr(GVariant) after = get_settings(play);
    g_assert_true(g_variant_lookup(after, "mac", "&s", &text));
    g_assert_cmpstr(text, ==, mac);
    g_autofree char *old = contents(fixture, "work"), *now = contents(fixture, "play");
    g_assert_null(old);
    g_assert_nonnull(strstr(now, "# mine\n"));
    WAIT_FOR(guest_count(fixture) == 2 && problem_count(fixture) == 0);
}

static void test_delete(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_false(rh_guest1_call_delete_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is running");
    g_assert_true(rh_guest1_call_destroy_sync(work, NULL, &error));
    g_autofree char *mac = kept_address(fixture, "work");
    g_assert_nonnull(mac);
    g_assert_true(rh_guest1_call_delete_sync(work, NULL, &error));
    g_autofree char *forgotten = kept_address(fixture, "work");
    g_assert_null(forgotten);
    WAIT_FOR(guest_count(fixture) == 0);
    g_autofree char *left = contents(fixture, "work");
    g_assert_null(left);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/api/paths", test_paths},
        {"/api/object-manager", test_object_manager},
        {"/api/without-slot", test_without_slot},
        {"/api/notice", test_notice},
        {"/api/create", test_create},
        {"/api/create-refused", test_create_refused},
        {"/api/create-twice", test_create_twice},
        {"/api/settings", test_settings},
        {"/api/rename", test_rename},
        {"/api/delete", test_delete},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
