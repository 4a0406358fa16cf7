/* The verb from the method's annotation, the object from what is called, the rule from the table. */
#include "gate.h"
#include "errors.h"
#include "guest.h"

#include <string.h>

/* The texts of a party that is read from a call's arguments live as long as the call. */
static gboolean set_guest(struct policy_party *party, const char *name, const char *label)
{
    *party = (struct policy_party){POLICY_GUEST, name, label};
    return name != NULL;
}

static gboolean set_config(struct policy_party *party, const struct guest_config *config)
{
    return set_guest(party, config->name, config->label);
}

/* ---- what is it about? FALSE: that is not there ---- */

static gboolean about_laptop(const struct policy_gate *gate, GDBusMethodInvocation *invocation,
                             struct policy_party *party)
{
    (void)gate, (void)invocation;
    *party = (struct policy_party){.category = POLICY_LAPTOP};
    return TRUE;
}

static gboolean about_guest(const struct policy_gate *gate, GDBusMethodInvocation *invocation,
                            struct policy_party *party)
{
    const char *path = g_dbus_method_invocation_get_object_path(invocation);
    for (guint i = 0; i < gate->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(gate->guests, i);
        if (g_str_equal(guest_object_path(guest), path))
            return set_config(party, guest_config(guest));
    }
    return FALSE;
}

/* A slot where no guest is: nothing comes on screen, and the method says so. */
static gboolean about_slot(const struct policy_gate *gate, GDBusMethodInvocation *invocation,
                           struct policy_party *party)
{
    guint slot;
    about_laptop(gate, invocation, party);
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(u)", &slot);
    for (guint i = 0; slot && i < gate->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(gate->guests, i);
        if (guest_slot(guest) == slot && (party->category == POLICY_LAPTOP || guest_domid(guest) >= 0))
            set_config(party, guest_config(guest));
    }
    return TRUE;
}

/* A label that is none is asked as if it were not given: the method refuses it, with the words that are known. */
static const char *known_label(const struct policy_gate *gate, const char *name, const char *label)
{
    char context[GUEST_CONTEXT_BYTES];
    return label && *label && policy_label(gate->asker, name, label, context, NULL) ? label : NULL;
}

static gboolean about_new_guest(const struct policy_gate *gate, GDBusMethodInvocation *invocation,
                                struct policy_party *party)
{
    g_autoptr(GVariant) settings = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 0);
    const char *name = "", *label = NULL;
    g_variant_lookup(settings, "name", "&s", &name);
    g_variant_lookup(settings, "label", "&s", &label);
    return set_guest(party, name, known_label(gate, name, label));
}

/* ---- and what becomes of it: what the policy knows it by afterwards ---- */

static void with_settings(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party)
{
    g_autoptr(GVariant) settings = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 0);
    const char *label;
    if (g_variant_lookup(settings, "label", "&s", &label))
        party->label = known_label(gate, party->name, label);
}

static void with_name(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party)
{
    (void)gate;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &party->name);
}

static const struct about {
    const char *interface, *method; /* method NULL: all others of the interface */
    gboolean (*object)(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party);
    /* NULL: what it was */
    void (*becomes)(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party);
} abouts[] = {
    {"org.roundhouse.Manager1", "CreateGuest", about_new_guest, NULL},
    {"org.roundhouse.Manager1", "Switch", about_slot, NULL},
    {"org.roundhouse.Guest1", "SetSettings", about_guest, with_settings},
    {"org.roundhouse.Guest1", "Rename", about_guest, with_name},
    {"org.roundhouse.Guest1", NULL, about_guest, NULL},
    {NULL, NULL, about_laptop, NULL},
};

static const struct about *find_about(GDBusMethodInvocation *invocation)
{
    const char *interface = g_dbus_method_invocation_get_interface_name(invocation);
    const char *method = g_dbus_method_invocation_get_method_name(invocation);
    const struct about *row = abouts;
    while (row->interface &&
           (!g_str_equal(row->interface, interface) || (row->method && !g_str_equal(row->method, method))))
        row++;
    return row;
}

/* ---- the question ---- */

static struct policy_facts facts_of(const struct policy_gate *gate)
{
    return policy_facts_now(gate->supplies, gate->on_screen);
}

/*
 * Some verbs are the guest's own doing, which somebody else sets off: "use screen". Then the guest is who must be
 * allowed, and what it is done to is the laptop.
 */
static struct policy_decision ask(const struct policy_gate *gate, enum policy_category caller, enum policy_verb verb,
                                  const struct policy_party *object)
{
    static const struct policy_party laptop = {.category = POLICY_LAPTOP};
    const struct policy_party person = {.category = caller};
    struct policy_facts facts = facts_of(gate);
    if (verb == POLICY_VERB_USE_SCREEN)
        return policy_ask(gate->asker, object, verb, &laptop, &facts);
    return policy_ask(gate->asker, &person, verb, object, &facts);
}

/* Of what it is and what becomes of it the answer that allows less. */
static struct policy_decision ask_both(const struct policy_gate *gate, enum policy_category caller,
                                       enum policy_verb verb, const struct policy_party objects[2])
{
    struct policy_decision first = ask(gate, caller, verb, &objects[0]);
    struct policy_decision second = ask(gate, caller, verb, &objects[1]);
    return policy_allows_less(second.effect, first.effect) ? second : first;
}

static void set_denied(GError **error, const struct policy_decision *decision)
{
    if (!decision->by_rule)
        g_set_error(error, RH_ERROR, RH_ERROR_POLICY, "This is not allowed: %s.", decision->rule);
    else
        g_set_error(error, RH_ERROR, RH_ERROR_POLICY, "The policy does not allow %s to %s %s. %s", decision->subject,
                    policy_verb_text(decision->verb), decision->object, decision->rule);
}

/* The verb that the method says; FALSE: it asks nothing. One that says nothing, or a verb that is none, is denied. */
static gboolean verb_of(GDBusMethodInvocation *invocation, enum policy_verb *verb)
{
    const GDBusMethodInfo *method = g_dbus_method_invocation_get_method_info(invocation);
    const char *words = g_dbus_annotation_info_lookup(method->annotations, "org.roundhouse.Verb");
    *verb = policy_verb_by_words(words);
    return g_strcmp0(words, "none") != 0;
}

static enum authority_verdict deny(struct policy_gate *gate, const struct policy_decision *decision, GError **error)
{
    policy_log_add(gate->log, decision, "denied");
    set_denied(error, decision);
    return AUTHORITY_DENIED;
}

static enum authority_verdict put_question(struct policy_gate *gate, const struct policy_decision *decision,
                                           authority_answer_fn done, gpointer question, GError **error)
{
    if (policy_questions_agreed(gate->questions, decision))
        return AUTHORITY_ALLOWED;
    return policy_questions_put(gate->questions, decision, done, question, error) ? AUTHORITY_WAIT : AUTHORITY_DENIED;
}

static enum authority_verdict pass(gpointer user, GDBusMethodInvocation *invocation, const struct authority_call *call,
                                   GError **error)
{
    struct policy_gate *gate = user;
    const struct about *about = find_about(invocation);
    struct policy_party objects[2];
    enum policy_verb verb;
    if (!verb_of(invocation, &verb))
        return AUTHORITY_ALLOWED;
    if (!about->object(gate, invocation, &objects[0])) {
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "What was asked for is not there any more.");
        return AUTHORITY_DENIED;
    }
    objects[1] = objects[0];
    if (about->becomes)
        about->becomes(gate, invocation, &objects[1]);
    if (verb == POLICY_VERB_USE_SCREEN && objects[0].category == POLICY_LAPTOP)
        return AUTHORITY_ALLOWED; /* the switcher */
    struct policy_decision decision =
        ask_both(gate, call->administrator ? POLICY_ADMINISTRATOR : POLICY_PERSON, verb, objects);
    if (decision.effect == POLICY_DENY && call->may_raise &&
        ask_both(gate, POLICY_ADMINISTRATOR, verb, objects).effect != POLICY_DENY)
        return AUTHORITY_RAISE;
    if (decision.effect == POLICY_ASK)
        return put_question(gate, &decision, call->done, call->question, error);
    return decision.effect == POLICY_ALLOW ? AUTHORITY_ALLOWED : deny(gate, &decision, error);
}

static void withdraw(gpointer user, gpointer question)
{
    struct policy_gate *gate = user;
    policy_questions_withdraw(gate->questions, question);
}

struct authority_gate policy_gate_for_authority(struct policy_gate *gate)
{
    return (struct authority_gate){pass, withdraw, gate};
}

gboolean policy_gate_laptop_may(struct policy_gate *gate, enum policy_verb verb, const struct guest_config *config,
                                GError **error)
{
    struct policy_party object;
    set_config(&object, config);
    struct policy_decision decision = ask(gate, POLICY_LAPTOP, verb, &object);
    if (decision.effect == POLICY_ALLOW)
        return TRUE;
    deny(gate, &decision, error);
    return FALSE;
}

/* ---- explanations ---- */

static gboolean read_party(const struct policy_gate *gate, const char *words, struct policy_party *party,
                           GError **error)
{
    static const struct {
        const char *words;
        enum policy_category category;
    } others[] = {{"", POLICY_LAPTOP},
                  {"laptop", POLICY_LAPTOP},
                  {"person", POLICY_PERSON},
                  {"administrator", POLICY_ADMINISTRATOR},
                  {"remote management", POLICY_REMOTE}};
    const char *name = g_str_has_prefix(words, "guest ") ? words + strlen("guest ") : words;
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (!g_str_equal(others[i].words, words))
            continue;
        *party = (struct policy_party){.category = others[i].category};
        return TRUE;
    }
    for (guint i = 0; i < gate->guests->len; i++) {
        const struct guest_config *config = guest_config(g_ptr_array_index(gate->guests, i));
        if (g_str_equal(config->name, name))
            return set_config(party, config);
    }
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND,
                "There is no guest called \"%s\". Say a guest's name, person, administrator, remote management or "
                "laptop.",
                name);
    return FALSE;
}

GVariant *policy_gate_explain(struct policy_gate *gate, const char *subject, const char *verb, const char *object,
                              GError **error)
{
    static const char *const effects[] = {[POLICY_DENY] = "deny", [POLICY_ALLOW] = "allow", [POLICY_ASK] = "ask"};
    struct policy_party s, o;
    enum policy_verb number = policy_verb_by_words(verb);
    GVariantBuilder answer;
    if (number == POLICY_VERB_LIMIT) {
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND,
                    "There is no verb \"%s\"; \"roundhouse-policy words\" lists them.", verb);
        return NULL;
    }
    if (!read_party(gate, subject, &s, error) || !read_party(gate, object, &o, error))
        return NULL;
    struct policy_facts facts = facts_of(gate);
    struct policy_decision decision = policy_ask(gate->asker, &s, number, &o, &facts);
    g_variant_builder_init(&answer, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&answer, "{sv}", "effect", g_variant_new_string(effects[decision.effect]));
    g_variant_builder_add(&answer, "{sv}", "rule", g_variant_new_string(decision.rule));
    g_variant_builder_add(&answer, "{sv}", "subject", g_variant_new_string(decision.subject));
    g_variant_builder_add(&answer, "{sv}", "verb", g_variant_new_string(verb));
    g_variant_builder_add(&answer, "{sv}", "object", g_variant_new_string(decision.object));
    return g_variant_builder_end(&answer);
}
