/* The verb from the method's annotation, what is asked from the call (request.h), the rule from the table. */
#include "gate.h"
#include "errors.h"
#include "guest.h"
#include "request.h"

#include <string.h>

#define CONSENT "policy-consent" /* data of an invocation */

/* ---- the question ---- */

static struct policy_facts facts_of(const struct policy_gate *gate)
{
    return policy_facts_now(gate->supplies, &gate->screen);
}

/* The guest's own doing, which somebody else sets off: it must be allowed, and what it is done to is the laptop. Where
 * the rule wants somebody to be asked, and who sets it off is one who answers questions, that is his yes. */
static gboolean is_guests_own(enum policy_verb verb)
{
    static const enum policy_verb own[] = {POLICY_VERB_USE_SCREEN, POLICY_VERB_USE_MICROPHONE, POLICY_VERB_READ_DISCS};
    gsize i = 0;
    while (i < G_N_ELEMENTS(own) && own[i] != verb)
        i++;
    return i < G_N_ELEMENTS(own);
}

static struct policy_decision ask(const struct policy_gate *gate, enum policy_category caller, enum policy_verb verb,
                                  const struct policy_party *object, const struct policy_facts *facts)
{
    static const struct policy_party laptop = {.category = POLICY_LAPTOP};
    const struct policy_party person = {.category = caller};
    if (is_guests_own(verb))
        return policy_ask(gate->asker, object, verb, &laptop, facts);
    return policy_ask(gate->asker, &person, verb, object, facts);
}

/* ---- what is agreed to for one call alone ---- */

/* It belongs to the invocation, and ends with it. */
struct consent {
    authority_answer_fn done;
    gpointer question;
    GArray *agreed; /* struct policy_decision */
};

static void consent_free(gpointer data)
{
    struct consent *consent = data;
    g_array_unref(consent->agreed);
    g_free(consent);
}

static struct consent *consent_of(GDBusMethodInvocation *invocation)
{
    struct consent *consent = g_object_get_data(G_OBJECT(invocation), CONSENT);
    if (consent)
        return consent;
    consent = g_new0(struct consent, 1);
    consent->agreed = g_array_new(FALSE, FALSE, sizeof(struct policy_decision));
    g_object_set_data_full(G_OBJECT(invocation), CONSENT, consent, consent_free);
    return consent;
}

/* To this very question, by this very rule. */
static gboolean is_agreed(const struct consent *consent, const struct policy_decision *decision)
{
    for (guint i = 0; i < consent->agreed->len; i++) {
        const struct policy_decision *agreed = &g_array_index(consent->agreed, struct policy_decision, i);
        if (agreed->verb == decision->verb && g_str_equal(agreed->subject, decision->subject) &&
            g_str_equal(agreed->object, decision->object) && g_str_equal(agreed->rule, decision->rule))
            return TRUE;
    }
    return FALSE;
}

static void answered(gpointer user, const struct policy_decision *decision, const GError *error)
{
    struct consent *consent = consent_of(user);
    if (!error)
        g_array_append_vals(consent->agreed, decision, 1);
    consent->done(consent->question, error);
}

/* The answer that allows least, where what was agreed to is allowed. */
static struct policy_decision ask_all(const struct policy_gate *gate, const struct policy_requests *requests,
                                      const struct consent *consent, enum policy_category caller)
{
    struct policy_decision least = {.effect = POLICY_ALLOW};
    struct policy_facts facts = facts_of(gate); /* one moment for all of them */
    for (guint i = 0; i < requests->list->len; i++) {
        const struct policy_request *request = &g_array_index(requests->list, struct policy_request, i);
        struct policy_decision decision = ask(gate, caller, request->verb, &request->object, &facts);
        if (decision.effect == POLICY_ASK &&
            (policy_questions_agreed(gate->questions, &decision) || is_agreed(consent, &decision)))
            decision.effect = POLICY_ALLOW;
        if (policy_allows_less(decision.effect, least.effect))
            least = decision;
    }
    return least;
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

/* One question at a time: the call is looked at again after each. */
static enum authority_verdict put_question(struct policy_gate *gate, GDBusMethodInvocation *invocation,
                                           const struct policy_decision *decision, const struct authority_call *caller,
                                           GError **error)
{
    struct consent *consent = consent_of(invocation);
    consent->done = caller->done;
    consent->question = caller->question;
    return policy_questions_put(gate->questions, decision, caller->uid, answered, invocation, error) ? AUTHORITY_WAIT
                                                                                                     : AUTHORITY_DENIED;
}

static enum authority_verdict decide(struct policy_gate *gate, GDBusMethodInvocation *invocation,
                                     const struct policy_requests *requests, const struct authority_call *caller,
                                     GError **error)
{
    enum policy_category category = caller->administrator ? POLICY_ADMINISTRATOR : POLICY_PERSON;
    struct consent *consent = consent_of(invocation);
    struct policy_decision decision;
    while ((decision = ask_all(gate, requests, consent, category)).effect == POLICY_ASK && caller->answers &&
           is_guests_own(decision.verb)) {
        policy_questions_agree(gate->questions, &decision);
        g_array_append_val(consent->agreed, decision);
    }
    if (decision.effect == POLICY_ALLOW)
        return AUTHORITY_ALLOWED;
    if (decision.effect == POLICY_ASK)
        return put_question(gate, invocation, &decision, caller, error);
    if (caller->may_raise && ask_all(gate, requests, consent, POLICY_ADMINISTRATOR).effect != POLICY_DENY)
        return AUTHORITY_RAISE;
    return deny(gate, &decision, error);
}

static enum authority_verdict pass(gpointer user, GDBusMethodInvocation *invocation,
                                   const struct authority_call *caller, GError **error)
{
    struct policy_gate *gate = user;
    struct policy_requests requests;
    enum policy_verb verb;
    enum authority_verdict verdict = AUTHORITY_DENIED;
    if (!verb_of(invocation, &verb))
        return AUTHORITY_ALLOWED;
    if (policy_requests_read(&requests, gate->asker, gate->guests, invocation, verb, error))
        verdict = decide(gate, invocation, &requests, caller, error);
    policy_requests_clear(&requests);
    return verdict;
}

static void withdraw(gpointer user, GDBusMethodInvocation *invocation)
{
    struct policy_gate *gate = user;
    policy_questions_withdraw(gate->questions, invocation);
}

struct authority_gate policy_gate_for_authority(struct policy_gate *gate)
{
    return (struct authority_gate){pass, withdraw, gate};
}

gboolean policy_gate_laptop_may(struct policy_gate *gate, enum policy_verb verb, const struct guest_config *config,
                                GError **error)
{
    const struct policy_party object = {POLICY_GUEST, config->name, config->label};
    struct policy_facts facts = facts_of(gate);
    struct policy_decision decision = ask(gate, POLICY_LAPTOP, verb, &object, &facts);
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
        const struct guest *guest = g_ptr_array_index(gate->guests, i);
        if (!g_str_equal(guest_config(guest)->name, name))
            continue;
        *party = (struct policy_party){POLICY_GUEST, guest_config(guest)->name, guest_label(guest)};
        return TRUE;
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
