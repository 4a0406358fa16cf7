/* Prints a file with the settings of a guest in place of its word @SETTINGS@: as paragraphs of a manual page ("page",
 * for roundhouse-guest(5)), or as names ("names", for what a shell completes). */
#include "guest_setting.h"

#include <stdio.h>
#include <string.h>

#define PLACE "@SETTINGS@"

/* "pv (...), pvh (...) or hvm (...)" */
static void print_words(const struct guest_word *words)
{
    for (const struct guest_word *word = words; word->word; word++) {
        const char *before = word == words ? "" : (word[1].word ? "," : " or");
        printf("%s\n\\fB%s\\fR (%s)", before, word->word, word->about);
    }
}

static void print_paragraph(const struct guest_setting *row)
{
    printf("%s.TP\n.B %s\n%s", row == guest_settings ? "" : "\n", row->key, row->about);
    if (row->max)
        printf(": %u to %u", row->min, row->max);
    if (row->words) {
        printf(":");
        print_words(row->words);
    }
    if (row->otherwise && *row->otherwise)
        printf("; %s if not given", row->otherwise);
    printf(".%s", row->hvm_only ? " Type hvm only." : "");
}

/* The name is no setting on a command line: it says which guest is meant. */
static void print_name(const struct guest_setting *row)
{
    if (!g_str_equal(row->key, "name"))
        printf("%s%s", row == guest_settings ? "" : " ", row->key);
}

int main(int argc, char **argv)
{
    g_autofree char *text = NULL;
    char *place = argc == 3 && g_file_get_contents(argv[2], &text, NULL, NULL) ? strstr(text, PLACE) : NULL;
    if (!place) {
        fprintf(stderr, "write-settings: want \"page\" or \"names\", and a file with the word %s\n", PLACE);
        return 1;
    }
    printf("%.*s", (int)(place - text), text);
    for (const struct guest_setting *row = guest_settings; row->key; row++)
        (g_str_equal(argv[1], "page") ? print_paragraph : print_name)(row);
    printf("%s", place + strlen(PLACE));
    return 0;
}
