/* Makes roundhouse-guest(5): the page named by the argument, with the table of settings in place of its line
 * @SETTINGS@. */
#include "guest_setting.h"

#include <stdio.h>
#include <string.h>

#define PLACE "@SETTINGS@\n"

/* "pv (...), pvh (...) or hvm (...)" */
static void print_words(const struct guest_word *words)
{
    for (const struct guest_word *word = words; word->word; word++) {
        const char *before = word == words ? "" : (word[1].word ? "," : " or");
        printf("%s\n\\fB%s\\fR (%s)", before, word->word, word->about);
    }
}

static void print_setting(const struct guest_setting *row)
{
    printf(".TP\n.B %s\n%s", row->key, row->about);
    if (row->max)
        printf(": %u to %u", row->min, row->max);
    if (row->words) {
        printf(":");
        print_words(row->words);
    }
    if (row->otherwise && *row->otherwise)
        printf("; %s if not given", row->otherwise);
    printf(".%s\n", row->hvm_only ? " Type hvm only." : "");
}

int main(int argc, char **argv)
{
    g_autofree char *page = NULL;
    char *place = argc == 2 && g_file_get_contents(argv[1], &page, NULL, NULL) ? strstr(page, PLACE) : NULL;
    if (!place) {
        fprintf(stderr, "make-guest-page: want a page with a line %s", PLACE);
        return 1;
    }
    printf("%.*s", (int)(place - page), page);
    for (const struct guest_setting *row = guest_settings; row->key; row++)
        print_setting(row);
    printf("%s", place + strlen(PLACE));
    return 0;
}
