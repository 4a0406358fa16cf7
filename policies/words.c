/*
 * The words of the language by number, and what is printed of them.
 */
#include <stdio.h>

#include "model.h"

const struct policy_verb_words policy_verbs[POLICY_VERB_LIMIT] = {
#define VERB(number, name, words, subjects, objects, enforcer, text)                                                   \
    [number] = {words, subjects, (objects) ? (objects) : POLICY_IS(LAPTOP), POLICY_BY_##enforcer, text, true},
    POLICY_VERBS(VERB)
#undef VERB
};

const struct policy_class_words policy_classes[POLICY_CLASS_LIMIT] = {
#define CLASS(number, name, category, words) [number] = {words, POLICY_##category},
    POLICY_CLASSES(CLASS)
#undef CLASS
};

const char *const policy_conditions[] = {
#define CONDITION(number, name, words, text) [number] = words,
    POLICY_CONDITIONS(CONDITION)
#undef CONDITION
        NULL,
};

const char *const policy_effects[POLICY_EFFECTS + 1] = {
    [POLICY_DENY] = "deny",
    [POLICY_ALLOW] = "allow",
    [POLICY_ASK] = "ask",
};

/* Which verbs name no object: the rest may be about this laptop too, and say so. */
static const bool without_object[POLICY_VERB_LIMIT] = {
#define VERB(number, name, words, subjects, objects, enforcer, text) [number] = (objects) == 0,
    POLICY_VERBS(VERB)
#undef VERB
};

bool policy_verb_names_object(unsigned verb)
{
    return !without_object[verb];
}

unsigned policy_verb_count(void)
{
    unsigned count = POLICY_VERB_LIMIT;
    while (!policy_verbs[count - 1].known)
        count--;
    return count;
}

static const char *enforcer_name(enum policy_enforcer enforcer)
{
    static const char *const names[] = {
        [POLICY_BY_HYPERVISOR] = "hypervisor",
        [POLICY_BY_SERVICES] = "services",
        [POLICY_BY_SEAT] = "seat",
        [POLICY_BY_SOUND] = "sound",
    };
    return names[enforcer];
}

static const struct {
    uint32_t categories;
    const char *words;
} category_words[] = {
    {POLICY_IS(GUEST), "a guest"},     {POLICY_IS(LAPTOP), "the laptop"},        {POLICY_PEOPLE, "people"},
    {POLICY_IS(PERSON), "the person"}, {POLICY_IS(REMOTE), "remote management"}, {POLICY_IS(DEVICE), "a device"},
    {POLICY_IS(NETWORK), "a network"},
};

char *policy_categories_text(uint32_t categories)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(category_words); i++)
        if ((categories & category_words[i].categories) == category_words[i].categories) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", category_words[i].words);
            categories &= ~category_words[i].categories;
        }
    return g_string_free(text, FALSE);
}

void policy_print_words(void)
{
    printf("| verb | who may | to what | asked by | what it is |\n|---|---|---|---|---|\n");
    for (unsigned i = 0; i < POLICY_VERB_LIMIT; i++) {
        const struct policy_verb_words *v = &policy_verbs[i];
        if (!v->known)
            continue;
        char *subjects = policy_categories_text(v->subjects);
        char *objects = policy_categories_text(v->objects);
        printf("| `%s` | %s | %s | %s | %s |\n", v->words, subjects, without_object[i] ? "" : objects,
               enforcer_name(v->enforcer), v->text);
        g_free(subjects);
        g_free(objects);
    }
#define CONDITION(number, name, words, text) printf("| `%s` | %s |\n", words, text);
    printf("\n| condition | holds when |\n|---|---|\n");
    POLICY_CONDITIONS(CONDITION)
#undef CONDITION
    printf("\n| class | |\n|---|---|\n");
    for (unsigned i = 0; i < POLICY_CLASS_LIMIT; i++)
        if (policy_classes[i].words) {
            char *category = policy_categories_text(1U << policy_classes[i].category);
            printf("| `%s` | %s |\n", policy_classes[i].words, category);
            g_free(category);
        }
}

void policy_print_completion(void)
{
    printf("# Completion of roundhouse-policy for bash; made from the words of the language.\n"
           "_roundhouse_policy() {\n"
           "    local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}\n"
           "    case $COMP_CWORD,${COMP_WORDS[1]} in\n"
           "    1,*) COMPREPLY=($(compgen -W $'check\\nexplain\\ndiff\\ncompile\\ntest\\nwords\\ncompletion' -- "
           "\"$word\"));;\n"
           "    4,explain) COMPREPLY=($(compgen -W $'");
    bool first = true;
    for (unsigned i = 0; i < POLICY_VERB_LIMIT; i++)
        if (policy_verbs[i].known) {
            printf("%s%s", first ? "" : "\\n", policy_verbs[i].words);
            first = false;
        }
    printf("' -- \"$word\")); COMPREPLY=(\"${COMPREPLY[@]@Q}\");;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$word\"));;\n"
           "    esac\n"
           "}\n"
           "complete -F _roundhouse_policy roundhouse-policy\n");
}
