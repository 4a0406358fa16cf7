/*
 * Each call against what the policy's text says: the real service on each shipped policy, compiled by the real
 * roundhouse-policy, whose `explain` is what is expected.
 */
#include "policy_program.h"
#include "polkit_fake.h"

#include <string.h>
#include <unistd.h>

static char *shipped(const char *name)
{
    return g_strdup_printf("%s/%s.policy", g_getenv("POLICIES"), name);
}

/* ---- what is expected ---- */

struct question {
    const char *policy, *subject, *verb, *object; /* object NULL: none */
};

/*
 * Effect and rule, as `explain` has them: "person to start desktop: allow", then "    default.policy:61: allow ...",
 * and where a condition is before an "otherwise", the rule for that two lines on. Nobody is on screen, and that is not
 * locked.
 */
static void explain(const struct question *question, char **effect, char **rule)
{
    const char *const arguments[] = {"explain",      question->policy, question->subject,
                                     question->verb, question->object, NULL};
    static GHashTable *known; /* the program is asked each thing once */
    g_autofree char *key = g_strjoinv("\t", (char **)(gpointer)arguments);
    if (!known)
        known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!g_hash_table_contains(known, key))
        g_hash_table_insert(known, g_strdup(key), run_policy_program(arguments));
    const char *text = g_hash_table_lookup(known, key);
    g_assert_nonnull(text);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 5);
    const char *words = strstr(lines[0], ": "), *otherwise = words ? strstr(words, "otherwise ") : NULL;
    g_assert_nonnull(words);
    words = otherwise ? otherwise + strlen("otherwise ") : words + 2;
    *effect = strstr(words, " only when on screen") ? g_strdup("deny") : g_strndup(words, strcspn(words, ", "));
    *rule = g_strdup(g_strstrip(lines[otherwise ? 3 : 1]));
}

static const char *annotation(const GDBusMethodInfo *method, const char *name)
{
    return g_dbus_annotation_info_lookup(method->annotations, name);
}

/*
 * Some value of each argument's type; those that would change much are refused by the method for another reason, and a
 * file that is not with the call too.
 */
static GVariant *some_arguments(const GDBusMethodInfo *method)
{
    GVariantBuilder all;
    g_variant_builder_init(&all, G_VARIANT_TYPE_TUPLE);
    for (GDBusArgInfo **arg = method->in_args; arg && *arg; arg++) {
        const char *type = (*arg)->signature;
        GVariant *value = g_str_equal(type, "s")   ? g_variant_new_string("")
                          : g_str_equal(type, "u") ? g_variant_new_uint32(1)
                          : g_str_equal(type, "b") ? g_variant_new_boolean(FALSE)
                          : g_str_equal(type, "t") ? g_variant_new_uint64(0)
                          : g_str_equal(type, "x") ? g_variant_new_int64(0)
                          : g_str_equal(type, "h") ? g_variant_new_handle(0)
                          : g_str_equal(type, "o") ? g_variant_new_object_path("/")
                          : *type == 'a'           ? g_variant_new_array(G_VARIANT_TYPE(type + 1), NULL, 0)
                                                   : NULL;
        if (!value)
            g_error("%s: give the test a value of type %s", method->name, type);
        g_variant_builder_add_value(&all, value);
    }
    return g_variant_builder_end(&all);
}

/* "allow", "deny" or "ask", by what the caller is told. */
static char *outcome_of(struct fixture *fixture, const char *path, const char *interface, const GDBusMethodInfo *method,
                        char **message)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    struct reply reply;
    guint asked = 0;
    g_test_message("%s.%s", interface, method->name);
    call(caller, path, interface, method->name, some_arguments(method), G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(reply.there || (asked += no_to_all(fixture)));
    WAIT_FOR(reply.there);
    g_autofree char *name = reply.error ? g_dbus_error_get_remote_error(reply.error) : NULL;
    *message = g_strdup(reply.error ? reply.error->message : "");
    g_clear_error(&reply.error);
    if (g_strcmp0(name, UNSAID) == 0)
        return g_strdup(asked ? "ask" : "nobody was asked");
    g_assert_cmpuint(asked, ==, 0);
    if (g_strcmp0(name, "org.roundhouse.Error.NotAllowed") == 0)
        return g_strdup(*message);
    return g_strdup(g_strcmp0(name, DENIED) == 0 ? "deny" : "allow");
}

/* Less than the other, as far as what is allowed goes. */
static gboolean is_less(const char *effect, const char *other)
{
    static const char *const order[] = {"deny", "ask", "allow", NULL};
    gsize a = 0, b = 0;
    while (!g_str_equal(order[a], effect))
        a++;
    while (!g_str_equal(order[b], other))
        b++;
    return a < b;
}

/* Of both questions the answer that allows less. */
static void explain_both(const struct question *first, const struct question *second, char **effect, char **rule)
{
    g_autofree char *other_effect = NULL, *other_rule = NULL;
    explain(first, effect, rule);
    explain(second, &other_effect, &other_rule);
    if (!is_less(other_effect, *effect))
        return;
    g_free(*effect);
    g_free(*rule);
    *effect = g_steal_pointer(&other_effect);
    *rule = g_steal_pointer(&other_rule);
}

static void check_method(struct fixture *fixture, const char *policy, const char *subject, const char *guest_words,
                         const char *path, const char *interface, const GDBusMethodInfo *method)
{
    static const char *const without_object[] = {"change power", "change policy", NULL};
    static const char *const guests_own[] = {"use screen", "use microphone", "read discs", NULL};
    const char *verb = annotation(method, "org.roundhouse.Verb");
    struct question question = {policy, subject, verb, guest_words};
    g_autofree char *effect = NULL, *rule = NULL, *message = NULL;
    if (g_str_equal(verb, "none"))
        return;
    if (g_strv_contains(guests_own, verb)) {
        question.subject = guest_words;
        question.object = NULL;
    } else if (g_strv_contains(without_object, verb)) {
        question.object = NULL;
    } else if (!g_str_equal(interface, GUEST) && !g_str_equal(verb, "create") && !g_str_equal(verb, "export")) {
        question.object = "laptop";
    } else if (!g_str_equal(interface, GUEST)) {
        question.object = "desktop"; /* without settings; and nobody's image */
    }
    const struct question copies = {policy, subject, "export", "desktop"};
    explain_both(&question, g_str_equal(method->name, "CloneImage") ? &copies : &question, &effect, &rule);
    if (g_strv_contains(guests_own, verb) && g_str_equal(effect, "ask")) {
        g_free(effect);
        effect = g_strdup("allow"); /* both callers may answer, and so have */
    }
    g_autofree char *outcome = outcome_of(fixture, path, interface, method, &message);
    if (!g_str_equal(outcome, effect) || (!g_str_equal(effect, "allow") && !strstr(message, rule)))
        g_error("%s: %s %s by %s of %s: %s, and not %s by %s: \"%s\"", policy, interface, method->name, subject,
                guest_words, outcome, effect, rule, message);
}

/* last: of the methods after which there is nothing to call any more; otherwise of the others. */
static void check_interface(struct fixture *fixture, const char *policy, const char *subject, const char *guest_words,
                            const char *path, GDBusInterfaceInfo *info, gboolean last)
{
    for (GDBusMethodInfo **method = info->methods; *method; method++) {
        gboolean ends = g_str_equal(info->name, GUEST) ? strstr("Delete DeleteWithImages", (*method)->name) != NULL
                                                       : strstr("Shutdown Reboot", (*method)->name) != NULL;
        if (ends == last)
            check_method(fixture, policy, subject, guest_words, path, info->name, *method);
    }
}

static void check_all(struct fixture *fixture, const char *policy, const char *subject, const char *label)
{
    g_autofree char *line = label ? g_strdup_printf("label=%s", label) : g_strdup("");
    g_autofree char *words = label ? g_strdup_printf("desktop labelled %s", label) : g_strdup("desktop");
    define(fixture, "work", 1, line);
    start_service(fixture);
    check_interface(fixture, policy, subject, words, MANAGER_PATH, rh_manager1_interface_info(), FALSE);
    check_interface(fixture, policy, subject, words, WORK, rh_guest1_interface_info(), FALSE);
    check_interface(fixture, policy, subject, words, WORK, rh_guest1_interface_info(), TRUE);
    check_interface(fixture, policy, subject, words, MANAGER_PATH, rh_manager1_interface_info(), TRUE);
    stop_service(fixture);
    g_unlink(fixture->marker);
}

static const struct {
    const char *policy, *label;
} all_policies[] = {{"default", "untrusted"}, {"separated", "untrusted"}, {"managed", "private"}, {"kiosk", "public"}};

/* As the administrator, who is the service's own user, and as the person, who is the switcher's. */
static void test_all_methods(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *me = g_strdup_printf("%u", (unsigned)getuid());
    struct polkit polkit;
    (void)data;
    polkit_start(&polkit, ALLOW);
    g_setenv("ROUNDHOUSE_FAKE_UI", me, TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(all_policies); i++) {
        g_autofree char *policy = shipped(all_policies[i].policy);
        put_shipped_policy(fixture, all_policies[i].policy);
        for (guint labelled = 0; labelled < 2; labelled++) {
            g_unsetenv("ROUNDHOUSE_FAKE_OWNER");
            check_all(fixture, policy, "administrator", labelled ? all_policies[i].label : NULL);
            g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
            check_all(fixture, policy, "person", labelled ? all_policies[i].label : NULL);
        }
    }
    polkit_stop(&polkit);
}

/* Each method says which verb it is; those that are none are these. */
static void test_verbs(struct fixture *fixture, gconstpointer data)
{
    static const char *const free_methods[] = {"GetGuest", "SwitcherShown", "Answer", NULL};
    GDBusInterfaceInfo *const interfaces[] = {rh_manager1_interface_info(), rh_guest1_interface_info(),
                                              rh_job1_interface_info(), rh_question1_interface_info()};
    const char *const arguments[] = {"words", NULL};
    g_autofree char *words = run_policy_program(arguments);
    (void)fixture, (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(interfaces); i++) {
        for (GDBusMethodInfo **method = interfaces[i]->methods; *method; method++) {
            const char *verb = annotation(*method, "org.roundhouse.Verb");
            if (!verb)
                g_error("%s.%s: say org.roundhouse.Verb in the XML", interfaces[i]->name, (*method)->name);
            g_autofree char *row = g_strdup_printf("| `%s` |", verb);
            if (g_str_equal(verb, "none") ? !g_strv_contains(free_methods, (*method)->name) : !strstr(words, row))
                g_error("%s.%s: the verb \"%s\"", interfaces[i]->name, (*method)->name, verb);
        }
        for (GDBusPropertyInfo **property = interfaces[i]->properties; *property; property++)
            g_assert_cmpint((*property)->flags, ==, G_DBUS_PROPERTY_INFO_FLAGS_READABLE); /* writing would ask nobody */
    }
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/policy-methods/verbs", test_verbs},
        {"/policy-methods/all", test_all_methods},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
