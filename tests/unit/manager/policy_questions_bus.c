/* What a rule wants to be asked: who is asked what, and what an answer counts for. */
#include "policy_program.h"
#include "polkit_fake.h"

#include <string.h>
#include <unistd.h>

/* ---- questions ---- */

static RhQuestion1 *find_question(struct fixture *fixture)
{
    g_autolist(GDBusObject) objects = g_dbus_object_manager_get_objects(fixture->objects);
    for (GList *link = objects; link; link = link->next) {
        RhQuestion1 *question = rh_object_get_question1(link->data);
        if (question)
            return question;
    }
    return NULL;
}

static RhQuestion1 *find_verb(struct fixture *fixture, const char *verb)
{
    g_autolist(GDBusObject) objects = g_dbus_object_manager_get_objects(fixture->objects);
    for (GList *link = objects; link; link = link->next) {
        g_autoptr(RhQuestion1) question = rh_object_get_question1(link->data);
        if (question && g_str_equal(rh_question1_get_verb(question), verb))
            return g_steal_pointer(&question);
    }
    return NULL;
}

static RhQuestion1 *wait_for_question(struct fixture *fixture)
{
    RhQuestion1 *question = NULL;
    WAIT_FOR(question || (question = find_question(fixture)));
    return question;
}

/* Waits for a question with this verb. */
static void wait_for_verb(struct fixture *fixture, const char *verb)
{
    RhQuestion1 *question = NULL;
    WAIT_FOR((question = find_verb(fixture, verb)));
    g_object_unref(question);
}

static void begin_stop(GDBusConnection *caller, struct reply *reply)
{
    call(caller, WORK, GUEST, "Shutdown", NULL, G_DBUS_CALL_FLAGS_NONE, reply);
}

static void test_question(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to stop any guest, remember until the guest stops\n"
                        "ask before allowing the administrator to suspend any guest\n"
                        "allow the administrator to start any guest\n");
    start_service(fixture);
    g_assert_no_error(try_start());
    begin_stop(caller, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    g_assert_cmpstr(rh_question1_get_subject(question), ==, "administrator");
    g_assert_cmpstr(rh_question1_get_verb(question), ==, "stop");
    g_assert_cmpstr(rh_question1_get_object(question), ==, "work (desktop)");
    g_assert_cmpstr(rh_question1_get_remember(question), ==, "guest");
    g_assert_nonnull(strstr(rh_question1_get_rule(question), "test.policy:6: ask before allowing"));
    g_assert_false(reply.there);
    g_assert_true(rh_question1_call_answer_sync(question, TRUE, NULL, NULL));
    WAIT_FOR(reply.there);
    g_assert_no_error(reply.error);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    WAIT_FOR(is(work, "off"));
    g_assert_no_error(try_start());
    begin_stop(caller, &reply); /* what was agreed ended with the guest */
    g_autoptr(RhQuestion1) again = wait_for_question(fixture);
    WAIT_FOR(reply.there); /* nobody answers */
    expect_error(reply.error, UNSAID, "nobody said yes");
    WAIT_FOR(!find_question(fixture));
    g_assert_true(is(work, "running"));
    g_autoptr(GError) error = NULL;
    g_assert_false(rh_question1_call_answer_sync(again, TRUE, NULL, &error)); /* too late */
    g_assert_true(is(work, "running"));
}

/* What was agreed counts until then, and for that alone. */
static void test_remembered(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to suspend any guest, remember for 8 hours\n"
                        "allow the administrator to start any guest\n");
    start_service(fixture);
    g_assert_no_error(try_start());
    call(caller, WORK, GUEST, "Pause", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    g_assert_true(rh_question1_call_answer_sync(question, TRUE, NULL, NULL));
    WAIT_FOR(reply.there);
    g_assert_no_error(reply.error);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Unpause", NULL));
    stop_service(fixture);
    start_service(fixture); /* and over a restart of the service */
    expect_error(try_to(caller, WORK, GUEST, "Pause", NULL), "org.roundhouse.Error.WrongState", "work is off");
    put_policy(fixture, "ask before allowing the administrator to suspend any guest\n");
    pass_time(800);
    call(caller, WORK, GUEST, "Pause", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) again = wait_for_question(fixture);
    g_assert_true(rh_question1_call_answer_sync(again, FALSE, NULL, NULL));
    WAIT_FOR(reply.there);
    expect_error(reply.error, UNSAID, "nobody said yes");
}

/* Who asks cannot answer: polkit has an action of its own for that, which the switcher alone has. */
static void test_own_answer(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the person to start any guest\n");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, ALLOW);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    polkit.verdict = REFUSE;
    g_string_truncate(polkit.asked, 0);
    expect_error(try_to(caller, g_dbus_proxy_get_object_path(G_DBUS_PROXY(question)), "org.roundhouse.Question1",
                        "Answer", g_variant_new("(b)", TRUE)),
                 "org.roundhouse.Error.NotAllowed", "You may not do this (org.roundhouse.answer).");
    g_assert_cmpstr(polkit.asked->str, ==, "answer ");
    WAIT_FOR(reply.there);
    expect_error(reply.error, UNSAID, "nobody said yes");
    polkit_stop(&polkit);
}

/* Questions have a bound, and go with those who asked. */
static void test_many_questions(struct fixture *fixture, gconstpointer data)
{
    struct reply replies[20], last;
    GDBusConnection *caller = caller_new();
    guint refused = 0;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to start any guest\n");
    start_service(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(replies); i++)
        call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &replies[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(replies); i++) {
        WAIT_FOR(replies[i].there);
        refused += strstr(replies[i].error->message, "4 questions wait already for you") != NULL;
        expect_error(replies[i].error, UNSAID, "The policy asks first");
    }
    g_assert_cmpuint(refused, ==, G_N_ELEMENTS(replies) - 4);
    WAIT_FOR(!find_question(fixture));
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &last);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    g_dbus_connection_close_sync(caller, NULL, NULL);
    WAIT_FOR(last.there);
    g_clear_error(&last.error);
    WAIT_FOR(!find_question(fixture));
    g_object_unref(caller);
}

/* ---- one call, several questions ---- */

static void set_label(GDBusConnection *caller, const char *label, struct reply *reply)
{
    GVariantBuilder settings;
    g_variant_builder_init(&settings, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&settings, "{sv}", "label", g_variant_new_string(label));
    call(caller, WORK, GUEST, "SetSettings", g_variant_new("(a{sv})", &settings), G_DBUS_CALL_FLAGS_NONE, reply);
}

static gboolean is_on_bus(struct fixture *fixture, RhQuestion1 *question)
{
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(question));
    g_autoptr(GDBusObject) object = g_dbus_object_manager_get_object(fixture->objects, path);
    return object != NULL;
}

/* The next question is this one; answers it. */
static void answer_about(struct fixture *fixture, const char *object, gboolean agreed)
{
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    g_assert_cmpstr(rh_question1_get_object(question), ==, object);
    g_assert_true(rh_question1_call_answer_sync(question, agreed, NULL, NULL));
    WAIT_FOR(!is_on_bus(fixture, question));
}

static char *definition(struct fixture *fixture)
{
    g_autofree char *file = g_build_filename(fixture->guests, "work.conf", NULL);
    char *text = NULL;
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    return text;
}

/* Of what it was, and of what it becomes, each is asked: one yes is not a yes to the other. */
static void test_several(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    g_autofree char *before = NULL, *same = NULL, *after = NULL;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to change settings of any guest\n");
    start_service(fixture);
    before = definition(fixture);
    set_label(caller, "untrusted", &reply);
    answer_about(fixture, "work (desktop)", TRUE);
    answer_about(fixture, "work (desktop:untrusted)", FALSE);
    WAIT_FOR(reply.there);
    expect_error(reply.error, UNSAID, "work (desktop:untrusted), and nobody said yes");
    same = definition(fixture);
    g_assert_cmpstr(same, ==, before);
    set_label(caller, "untrusted", &reply); /* and the first is asked again */
    answer_about(fixture, "work (desktop)", TRUE);
    answer_about(fixture, "work (desktop:untrusted)", TRUE);
    WAIT_FOR(reply.there);
    g_assert_no_error(reply.error);
    after = definition(fixture);
    g_assert_nonnull(strstr(after, "label=untrusted"));
}

/* ---- what happens while a question is open ---- */

static gboolean label_is(struct fixture *fixture, const char *label)
{
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_autoptr(GVariant) settings = NULL;
    const char *now = "";
    g_assert_true(rh_guest1_call_get_settings_sync(work, &settings, NULL, NULL));
    g_variant_lookup(settings, "label", "&s", &now);
    return g_str_equal(now, label);
}

/* The guest has become another: a yes to what it was is no yes to what it is. */
static void test_changed_meanwhile(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "deny the administrator to start any guest labelled untrusted\n"
                        "ask before allowing the administrator to start any guest\n"
                        "allow the administrator to see any guest\n");
    start_service(fixture);
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    define(fixture, "work", 1, "label=untrusted");
    while (!label_is(fixture, "untrusted"))
        pass_time(20);
    g_assert_true(rh_question1_call_answer_sync(question, TRUE, NULL, NULL));
    WAIT_FOR(reply.there);
    expect_error(reply.error, DENIED, "deny administrator to start any guest labelled untrusted");
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
}

/* The guest is gone, and so may be an image's. */
static void test_gone_meanwhile(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply start, copy;
    (void)data;
    make_pool(fixture);
    define(fixture, "work", 1, "disk=image:one");
    put_policy(fixture, "ask before allowing the administrator to start, export any guest\n"
                        "allow the administrator to change settings of the laptop\n");
    start_service(fixture);
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &start);
    wait_for_verb(fixture, "start");
    call(caller, MANAGER_PATH, BUS_NAME, "CloneImage", g_variant_new("(ss)", "one", "two"), G_DBUS_CALL_FLAGS_NONE,
         &copy);
    wait_for_verb(fixture, "export");
    undefine(fixture, "work");
    WAIT_FOR(guest_count(fixture) == 0);
    g_autoptr(RhQuestion1) about_start = find_verb(fixture, "start"), about_export = find_verb(fixture, "export");
    g_assert_true(rh_question1_call_answer_sync(about_start, TRUE, NULL, NULL));
    g_assert_true(rh_question1_call_answer_sync(about_export, TRUE, NULL, NULL));
    WAIT_FOR(start.there);
    WAIT_FOR(!is_on_bus(fixture, about_start) && !is_on_bus(fixture, about_export));
    expect_error(start.error, "org.roundhouse.Error.NotFound", "not there any more");
    answer_about(fixture, "one (desktop)", FALSE); /* nobody has it now: it is taken for a guest of its name */
    WAIT_FOR(copy.there);
    expect_error(copy.error, UNSAID, "nobody said yes");
}

/* The first answer counts, and the second finds nothing. */
static void test_answered_twice(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply, first, second;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to start any guest, remember forever\n");
    start_service(fixture);
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(question));
    call(caller, path, "org.roundhouse.Question1", "Answer", g_variant_new("(b)", FALSE), G_DBUS_CALL_FLAGS_NONE,
         &first);
    call(caller, path, "org.roundhouse.Question1", "Answer", g_variant_new("(b)", TRUE), G_DBUS_CALL_FLAGS_NONE,
         &second);
    WAIT_FOR(first.there && second.there && reply.there);
    g_assert_no_error(first.error);
    g_assert_nonnull(second.error); /* of the service or, when the object has left the bus, of that */
    g_clear_error(&second.error);
    expect_error(reply.error, UNSAID, "nobody said yes");
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
}

/* ---- who need not be asked ---- */

static GError *give_microphone(void)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    return try_to(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 1));
}

static GError *change_disc(void)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    return try_to(caller, WORK, GUEST, "ChangeDisc", g_variant_new("(sh)", "hdc", 0));
}

/* In the switcher, who gives a guest the microphone or a disc has said yes by that. Anybody else is asked about. */
static void test_own_doing(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *me = g_strdup_printf("%u", (unsigned)getuid());
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    put_shipped_policy(fixture, "default");
    polkit_start(&polkit, ALLOW);
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    start_service(fixture);
    g_assert_no_error(try_start());
    g_autoptr(GDBusConnection) caller = caller_new();
    call(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 1), G_DBUS_CALL_FLAGS_NONE, &reply);
    g_autoptr(RhQuestion1) question = wait_for_question(fixture);
    g_assert_cmpstr(rh_question1_get_subject(question), ==, "work (desktop)");
    g_assert_cmpstr(rh_question1_get_verb(question), ==, "use microphone");
    WAIT_FOR(reply.there || no_to_all(fixture));
    WAIT_FOR(reply.there);
    expect_error(reply.error, UNSAID, "nobody said yes");
    stop_service(fixture);
    polkit_stop(&polkit); /* without it the switcher alone may do anything */
    g_setenv("ROUNDHOUSE_FAKE_UI", me, TRUE);
    start_service(fixture);
    g_assert_no_error(try_start());
    g_assert_no_error(give_microphone());
    expect_error(change_disc(), "org.roundhouse.Error.NotFound", "work has no CD drive");
    g_assert_true(log_has(fixture, "agreed", "use microphone", "ask before allowing any guest to use microphone"));
    g_assert_true(log_has(fixture, "agreed", "read discs", "ask before allowing any guest to read discs"));
    g_assert_null(find_question(fixture));
    /* What a person wants to do himself is asked all the same. */
    call(caller, WORK, GUEST, "Delete", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(reply.there || no_to_all(fixture));
    WAIT_FOR(reply.there);
    expect_error(reply.error, UNSAID, "nobody said yes");
}

/* ---- how long an answer counts ---- */

static gboolean asks_to_pause(struct fixture *fixture)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply;
    guint asked = 0;
    call(caller, WORK, GUEST, "Pause", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(reply.there || (asked += no_to_all(fixture)));
    WAIT_FOR(reply.there);
    g_clear_error(&reply.error);
    return asked > 0;
}

/* A line each; of two to the same the last counts, and a time counts no longer than its rule lets it. */
static void test_kept_answers(struct fixture *fixture, gconstpointer data)
{
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    const struct {
        gint64 first, second; /* seconds from now; 0: no line */
        gboolean asks;
    } rows[] = {
        {3600, 0, FALSE}, {-5, 0, TRUE}, {-5, 3600, FALSE}, {3600, -5, TRUE}, {9 * 3600, 0, TRUE}, {0, 0, TRUE},
    };
    g_autofree char *path = g_build_filename(fixture->directory, "policy.agreed", NULL);
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to suspend any guest, remember for 8 hours\n");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) text = g_string_new("nonsense\n");
        const gint64 untils[] = {rows[i].first, rows[i].second};
        for (gsize j = 0; j < G_N_ELEMENTS(untils); j++)
            if (untils[j])
                g_string_append_printf(text,
                                       "time\t%" G_GINT64_FORMAT "\tboot\tadministrator\tsuspend\twork (desktop)\n",
                                       now + untils[j]);
        g_assert_true(g_file_set_contents(path, text->str, -1, NULL));
        start_service(fixture);
        if (asks_to_pause(fixture) != rows[i].asks)
            g_error("row %zu", i);
        stop_service(fixture);
    }
}

/* A guest that is called as one that was deleted is another. */
static void test_namesake(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "policy.agreed", NULL);
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "ask before allowing the administrator to suspend any guest, remember forever\n");
    g_assert_true(g_file_set_contents(path,
                                      "forever\t0\tboot\tadministrator\tsuspend\twork (desktop)\n"
                                      "forever\t0\tboot\tadministrator\tsuspend\twork2 (desktop)\n",
                                      -1, NULL));
    start_service(fixture);
    g_assert_false(asks_to_pause(fixture));
    undefine(fixture, "work");
    WAIT_FOR(guest_count(fixture) == 0);
    define(fixture, "work", 1, "");
    WAIT_FOR(guest_count(fixture) == 1);
    g_assert_true(asks_to_pause(fixture));
    stop_service(fixture);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_null(strstr(text, "work (desktop)"));
    g_assert_nonnull(strstr(text, "work2 (desktop)"));
    start_service(fixture);
    g_assert_true(asks_to_pause(fixture));
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/policy-questions/question", test_question},
        {"/policy-questions/remembered", test_remembered},
        {"/policy-questions/own-answer", test_own_answer},
        {"/policy-questions/many", test_many_questions},
        {"/policy-questions/several", test_several},
        {"/policy-questions/changed-meanwhile", test_changed_meanwhile},
        {"/policy-questions/gone-meanwhile", test_gone_meanwhile},
        {"/policy-questions/answered-twice", test_answered_twice},
        {"/policy-questions/own-doing", test_own_doing},
        {"/policy-questions/kept-answers", test_kept_answers},
        {"/policy-questions/namesake", test_namesake},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
