/* Questions in words. */
#include "question_text.h"
#include "../plain_text.h"
#include "words.h"

#include <string.h>

static const struct {
    const char *words;
    unsigned objects;
    const char *about;
} verbs[] = {
#define VERB(number, name, words, subjects, objects, enforcer, about) {words, objects, about},
    POLICY_VERBS(VERB)
#undef VERB
};

/* As the policy knows them; a guest's name comes before brackets. */
static const struct {
    const char *known_as, *words;
} parties[] = {
    {"person", "the person at this laptop"},
    {"administrator", "an administrator"},
    {"laptop", "this laptop"},
};

char *question_guest(const char *party)
{
    const char *end = party ? strstr(party, " (") : NULL;
    g_autofree char *name = end ? g_strndup(party, (gsize)(end - party)) : NULL;
    return name ? plain_text(name, PLAIN_LINE_MAX) : NULL;
}

char *question_party(const char *party)
{
    char *name = question_guest(party);
    for (gsize i = 0; !name && i < G_N_ELEMENTS(parties); i++) {
        if (g_strcmp0(party, parties[i].known_as) == 0)
            name = g_strdup(parties[i].words);
    }
    return name ? name : plain_text(party, PLAIN_LINE_MAX);
}

static gssize find_verb(const char *words)
{
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (g_strcmp0(words, verbs[i].words) == 0)
            return (gssize)i;
    }
    return -1;
}

gboolean question_has_object(const char *verb)
{
    gssize at = find_verb(verb);
    return at < 0 || verbs[at].objects;
}

const char *question_about(const char *verb)
{
    gssize at = find_verb(verb);
    return at < 0 ? NULL : verbs[at].about;
}

char *question_title(const char *subject, const char *verb, const char *object)
{
    g_autofree char *who = question_party(subject), *whom = question_party(object);
    g_autofree char *what = plain_text(verb, PLAIN_LINE_MAX);
    return question_has_object(verb) ? g_strdup_printf("May %s %s %s?", who, what, whom)
                                     : g_strdup_printf("May %s %s?", who, what);
}

char *question_may(const char *subject, const char *verb, const char *object, const char *effect)
{
    gboolean asks = g_strcmp0(effect, "ask") == 0, may = asks || g_strcmp0(effect, "allow") == 0;
    gboolean whom = question_has_object(verb);
    return g_strdup_printf("%s may %s%s%s%s%s.", subject, may ? "" : "not ", verb, whom ? " " : "", whom ? object : "",
                           asks ? ", after a question" : "");
}

/* Hours and days stand in the rule, which is shown. */
const char *question_yes(const char *remember)
{
    static const struct {
        const char *remember, *words;
    } answers[] = {
        {"once", "Yes, this once"},
        {"guest", "Yes, until the guest stops"},
        {"restart", "Yes, until this laptop restarts"},
        {"forever", "Yes, always"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        if (g_strcmp0(remember, answers[i].remember) == 0)
            return answers[i].words;
    }
    return "Yes, for as long as the rule says";
}
