/*
 * roundhouse-policy: checks, explains, compares, compiles and tests policies. roundhouse-policy(1)
 */
#include <stdio.h>
#include <string.h>

#include "questions.h"

static int check(char **argument)
{
    struct policy_compiled c;
    if (!policy_open(&c, argument[0]))
        return 1;
    printf("%s: good, %u rules, %u bytes as a table\n", argument[0], c.policy->rules->len, c.bytes->len);
    policy_close(&c);
    return 0;
}

static int explain(char **argument)
{
    return policy_explain(argument[0], argument[1], argument[2], argument[3]);
}

static int diff(char **argument)
{
    return policy_diff(argument[0], argument[1]);
}

static int compile(char **argument)
{
    struct policy_compiled c;
    GError *error = NULL;
    if (!policy_open(&c, argument[0]))
        return 1;
    bool written = g_file_set_contents(argument[1], (const char *)c.bytes->data, c.bytes->len, &error);
    if (!written) {
        fprintf(stderr, "%s\n", error->message);
        g_error_free(error);
    }
    policy_close(&c);
    return !written;
}

static int test(char **argument)
{
    return policy_test(argument[0]);
}

static int words(char **argument)
{
    (void)argument;
    policy_print_words();
    return 0;
}

static int completion(char **argument)
{
    (void)argument;
    policy_print_completion();
    return 0;
}

static const struct command {
    const char *name, *arguments;
    int least, most;
    int (*run)(char **argument);
} commands[] = {
    {"check", "POLICY", 1, 1, check},     {"explain", "POLICY SUBJECT VERB [OBJECT]", 3, 4, explain},
    {"diff", "BEFORE AFTER", 2, 2, diff}, {"compile", "POLICY TABLE", 2, 2, compile},
    {"test", "EXPECTATIONS", 1, 1, test}, {"words", "", 0, 0, words},
    {"completion", "", 0, 0, completion},
};

static int usage(void)
{
    fprintf(stderr, "usage:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(stderr, "    roundhouse-policy %s %s\n", commands[i].name, commands[i].arguments);
    return 2;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(argv[1], commands[i].name)) {
            if (argc - 2 < commands[i].least || argc - 2 > commands[i].most)
                return usage();
            return commands[i].run(argv + 2); /* ends with a NULL, as argv does */
        }
    return usage();
}
