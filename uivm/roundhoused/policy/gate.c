/* The verb from the method's annotation, the object from what is called, the rule from the table. */
#include "gate.h"
#include "errors.h"
#include "guest.h"
#include "image_users.h"

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

/* Slot 0 is the switcher, or nobody. Where no guest is nothing is done, and the method says so. */
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

/* ---- and what else does it copy? ---- */

/* One thing that the policy is asked. */
struct request {
    enum policy_verb verb;
    struct policy_party object;
};

static void add_request(GArray *requests, enum policy_verb verb, const struct policy_party *object)
{
    const struct request request = {verb, *object};
    g_array_append_val(requests, request);
}

/* What is in an image is its guests'. One that no definition has is taken for a guest of that name. */
static void add_export(const struct policy_gate *gate, const char *image, GArray *requests)
{
    struct policy_party object;
    guint before = requests->len;
    for (guint i = 0; i < gate->guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(gate->guests, i);
        if (!image_users_is_one(guest, image))
            continue;
        set_config(&object, guest_config(guest));
        add_request(requests, POLICY_VERB_EXPORT, &object);
    }
    set_guest(&object, image, NULL);
    if (requests->len == before)
        add_request(requests, POLICY_VERB_EXPORT, &object);
}

static void of_image(const struct policy_gate *gate, GDBusMethodInvocation *invocation, GArray *requests)
{
    const char *image;
    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 0, "&s", &image);
    add_export(gate, image, requests);
}

/* All of the words are looked at: a word may be there twice. */
static void of_disk(const struct policy_gate *gate, GVariant *words, GArray *requests)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_variant_iter_init(&iter, words);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        if (g_str_equal(key, "clone") && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
            add_export(gate, g_variant_get_string(value, NULL), requests);
        g_variant_unref(value); /* its text is the parameters' */
    }
}

static void of_disks(const struct policy_gate *gate, GDBusMethodInvocation *invocation, GArray *requests)
{
    g_autoptr(GVariant) disks = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 1);
    for (gsize i = 0; i < g_variant_n_children(disks); i++) {
        g_autoptr(GVariant) words = g_variant_get_child_value(disks, i);
        of_disk(gate, words, requests);
    }
}

static const struct about {
    const char *interface, *method; /* method NULL: all others of the interface */
    /* NULL: only what is copied */
    gboolean (*object)(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party);
    /* NULL: what it was */
    void (*becomes)(const struct policy_gate *gate, GDBusMethodInvocation *invocation, struct policy_party *party);
    /* NULL: no image */
    void (*copies)(const struct policy_gate *gate, GDBusMethodInvocation *invocation, GArray *requests);
} abouts[] = {
    {"org.roundhouse.Manager1", "CreateGuest", about_new_guest, NULL, of_disks},
    {"org.roundhouse.Manager1", "CloneImage", about_laptop, NULL, of_image},
    {"org.roundhouse.Manager1", "ExportImage", NULL, NULL, of_image},
    {"org.roundhouse.Manager1", "Switch", about_slot, NULL, NULL},
    {"org.roundhouse.Manager1", "GiveMicrophone", about_slot, NULL, NULL},
    {"org.roundhouse.Guest1", "SetSettings", about_guest, with_settings, NULL},
    {"org.roundhouse.Guest1", "Rename", about_guest, with_name, NULL},
    {"org.roundhouse.Guest1", NULL, about_guest, NULL, NULL},
    {NULL, NULL, about_laptop, NULL, NULL},
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

/* The guest's own doing, which somebody else sets off: it must be allowed, and what it is done to is the laptop. */
static gboolean is_guests_own(enum policy_verb verb)
{
    static const enum policy_verb own[] = {POLICY_VERB_USE_SCREEN, POLICY_VERB_USE_MICROPHONE, POLICY_VERB_READ_DISCS};
    gsize i = 0;
    while (i < G_N_ELEMENTS(own) && own[i] != verb)
        i++;
    return i < G_N_ELEMENTS(own);
}

static struct policy_decision ask(const struct policy_gate *gate, enum policy_category caller, enum policy_verb verb,
                                  const struct policy_party *object)
{
    static const struct policy_party laptop = {.category = POLICY_LAPTOP};
    const struct policy_party person = {.category = caller};
    struct policy_facts facts = facts_of(gate);
    if (is_guests_own(verb))
        return policy_ask(gate->asker, object, verb, &laptop, &facts);
    return policy_ask(gate->asker, &person, verb, object, &facts);
}

/* The answer that allows least, where what was agreed to is allowed. */
static struct policy_decision ask_all(const struct policy_gate *gate, enum policy_category caller,
                                      const GArray *requests)
{
    struct policy_decision least = {.effect = POLICY_ALLOW};
    for (guint i = 0; i < requests->len; i++) {
        const struct request *request = &g_array_index(requests, struct request, i);
        struct policy_decision decision = ask(gate, caller, request->verb, &request->object);
        if (decision.effect == POLICY_ASK && policy_questions_agreed(gate->questions, &decision))
            decision.effect = POLICY_ALLOW;
        if (policy_allows_less(decision.effect, least.effect))
            least = decision;
    }
    return least;
}

/* What is to be asked of a call; FALSE: what it is about is not there. */
static gboolean add_requests(const struct policy_gate *gate, GDBusMethodInvocation *invocation, enum policy_verb verb,
                             GArray *requests)
{
    const struct about *about = find_about(invocation);
    struct policy_party object;
    if (about->object && !about->object(gate, invocation, &object))
        return FALSE;
    if (about->object && !(is_guests_own(verb) && object.category == POLICY_LAPTOP))
        add_request(requests, verb, &object);
    if (about->becomes) {
        about->becomes(gate, invocation, &object);
        add_request(requests, verb, &object);
    }
    if (about->copies)
        about->copies(gate, invocation, requests);
    return TRUE;
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

static enum authority_verdict pass(gpointer user, GDBusMethodInvocation *invocation, const struct authority_call *call,
                                   GError **error)
{
    struct policy_gate *gate = user;
    g_autoptr(GArray) requests = g_array_new(FALSE, FALSE, sizeof(struct request));
    enum policy_verb verb;
    if (!verb_of(invocation, &verb))
        return AUTHORITY_ALLOWED;
    if (!add_requests(gate, invocation, verb, requests)) {
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "What was asked for is not there any more.");
        return AUTHORITY_DENIED;
    }
    struct policy_decision decision =
        ask_all(gate, call->administrator ? POLICY_ADMINISTRATOR : POLICY_PERSON, requests);
    if (decision.effect == POLICY_DENY && call->may_raise &&
        ask_all(gate, POLICY_ADMINISTRATOR, requests).effect != POLICY_DENY)
        return AUTHORITY_RAISE;
    if (decision.effect == POLICY_ASK)
        return policy_questions_put(gate->questions, &decision, call->done, call->question, error) ? AUTHORITY_WAIT
                                                                                                   : AUTHORITY_DENIED;
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
