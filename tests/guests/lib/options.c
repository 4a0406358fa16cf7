/* Words of the command line. */
#include "check.h"

const char *command_line;

const char *option(const char *key)
{
    const char *at = command_line;
    while (at && *at) {
        unsigned n = 0;
        while (key[n] && at[n] == key[n])
            n++;
        if (!key[n] && at[n] == '=')
            return at + n + 1;
        while (*at && *at != ' ')
            at++;
        at += *at == ' ';
    }
    return NULL;
}

bool same_word(const char *word, const char *name)
{
    unsigned n = 0;
    while (name[n] && word && word[n] == name[n])
        n++;
    return word && !name[n] && (!word[n] || word[n] == ' ');
}
