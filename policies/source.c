/*
 * Files into statements. A statement is a line; a line that begins with white space goes on with the one before. `#`
 * begins a remark. The articles a, an, the are for the reader and mean nothing. `include "FILE"` puts the statements of
 * another file in its place, `include "FOLDER/"` those of its files *.policy in order of their names; a folder need not
 * be there.
 */
#include <string.h>

#include "model.h"

static void read_file(struct policy *policy, const char *path, const struct policy_statement *included_by,
                      unsigned depth);

static bool is_word_character(char c)
{
    return g_ascii_isalnum(c) || (c && strchr("_-.:/+", c));
}

bool policy_is_article(const char *text)
{
    return !strcmp(text, "a") || !strcmp(text, "an") || !strcmp(text, "the");
}

/* Reads one word at *p, of which *column tells where it stands. False at something that is no word, which is reported.
 */
static bool read_word(struct policy *policy, const struct policy_source *source, const char **p, unsigned line,
                      unsigned *column, struct policy_word *word)
{
    const char *start = *p, *end = start;
    *word = (struct policy_word){.line = line, .column = *column, .quoted = *start == '"'};
    if (*start == ',') {
        end++;
    } else if (*start == '"') {
        start++;
        end = start + strcspn(start, "\"\n");
        if (*end != '"') {
            policy_error_at(policy, source, line, *column, "this quotation does not end on its line");
            return false;
        }
    } else {
        while (is_word_character(*end))
            end++;
        if (end == start) {
            policy_error_at(policy, source, line, *column, "a policy has no use for this character");
            return false;
        }
    }
    char *text = g_strndup(start, (gsize)(end - start));
    word->text = g_string_chunk_insert_const(policy->texts, text);
    g_free(text);
    *p = end + word->quoted;
    *column += (unsigned)g_utf8_strlen(start, end - start) + (word->quoted ? 2 : 0);
    return true;
}

/* The words from *p to the end of its line. False after a mistake; then the line is skipped. */
static bool read_line(struct policy *policy, const struct policy_source *source, const char **p, unsigned line,
                      GArray *words)
{
    unsigned column = 1;
    bool good = true;
    while (good && **p && **p != '\n' && **p != '#') {
        struct policy_word word;
        if (**p == ' ' || **p == '\t' || **p == '\r') {
            ++*p, ++column;
        } else {
            good = read_word(policy, source, p, line, &column, &word);
            if (good && (word.quoted || !policy_is_article(word.text)))
                g_array_append_val(words, word);
        }
    }
    *p += strcspn(*p, "\n");
    if (**p)
        ++*p;
    return good;
}

static struct policy_statement *split(struct policy *policy, const struct policy_source *source, const char **rest,
                                      unsigned *line)
{
    GArray *words = g_array_new(FALSE, TRUE, sizeof(struct policy_word));
    const char *p = *rest;
    bool good = true;
    while (*p && !words->len && good)
        good = read_line(policy, source, &p, (*line)++, words);
    while ((*p == ' ' || *p == '\t') && (words->len || !good))
        good &= read_line(policy, source, &p, (*line)++, words);
    *rest = p;
    struct policy_statement *s = g_new0(struct policy_statement, 1);
    s->source = source;
    s->count = good ? words->len : 0;
    struct policy_word end = {.text = "", .line = 1, .column = 1};
    if (words->len) {
        const struct policy_word *last = &g_array_index(words, struct policy_word, words->len - 1);
        end.line = last->line;
        end.column = last->column + (unsigned)g_utf8_strlen(last->text, -1) + (last->quoted ? 2 : 0);
    }
    g_array_append_val(words, end);
    s->words = (struct policy_word *)(void *)g_array_free(words, FALSE);
    return s;
}

static void statement_free(void *statement)
{
    struct policy_statement *s = statement;
    g_free(s->words);
    g_free(s);
}

bool policy_has(const struct policy_statement *s, unsigned at, const char *text)
{
    return at < s->count && !s->words[at].quoted && !strcmp(s->words[at].text, text);
}

char *policy_join(const struct policy_statement *statement, unsigned from, unsigned until)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = from; i < until; i++) {
        const struct policy_word *w = &statement->words[i];
        const char *mark = w->quoted ? "\"" : "";
        g_string_append_printf(text, "%s%s%s%s", i > from && strcmp(w->text, ",") ? " " : "", mark, w->text, mark);
    }
    return g_string_free(text, FALSE);
}

static void complain(struct policy *policy, const struct policy_statement *by, const char *path, const char *what)
{
    if (by)
        policy_error(policy, by, 1, NULL, "%s %s", path, what);
    else
        g_ptr_array_add(policy->messages, g_strdup_printf("%s %s", path, what));
}

/* The text of a file, checked to be one; NULL if it is not, which is reported. */
static char *load(struct policy *policy, const char *path, const struct policy_statement *by)
{
    char *text = NULL;
    gsize length = 0;
    GError *error = NULL;
    char *what = NULL;
    if (!g_file_get_contents(path, &text, &length, &error)) {
        const char *reason = strrchr(error->message, ':'); /* what is before it names the file again */
        what = g_strdup_printf("cannot be read%s", reason ? reason : "");
        g_error_free(error);
    } else if (length > POLICY_MAX_TEXT) {
        what = g_strdup_printf("has more than %d KiB", POLICY_MAX_TEXT / 1024);
    } else if (memchr(text, 0, length) || !g_utf8_validate(text, (gssize)length, NULL)) {
        what = g_strdup("is not a text (UTF-8)");
    }
    if (!what)
        return text;
    complain(policy, by, path, what);
    g_free(what);
    g_free(text);
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void include_folder(struct policy *policy, const char *folder, const struct policy_statement *by, unsigned depth)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)))
        if (g_str_has_suffix(name, ".policy") && name[0] != '.')
            g_ptr_array_add(names, g_build_filename(folder, name, NULL));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(names, by_name);
    for (unsigned i = 0; i < names->len; i++)
        read_file(policy, names->pdata[i], by, depth);
    g_ptr_array_free(names, TRUE);
}

static void include(struct policy *policy, const struct policy_statement *s, unsigned depth)
{
    if (s->count != 2 || !s->words[1].quoted || !*s->words[1].text) {
        policy_error(policy, s, s->count > 1 ? 1 : s->count, NULL,
                     "a file or folder in quotation marks is wanted here, and nothing after it: include \"policy.d/\"");
        return;
    }
    char *folder = g_path_get_dirname(s->source->path);
    char *path = g_path_is_absolute(s->words[1].text) || !strcmp(folder, ".")
                     ? g_strdup(s->words[1].text)
                     : g_build_filename(folder, s->words[1].text, NULL);
    if (g_str_has_suffix(s->words[1].text, "/"))
        include_folder(policy, path, s, depth);
    else
        read_file(policy, path, s, depth);
    g_free(path);
    g_free(folder);
}

static void read_file(struct policy *policy, const char *path, const struct policy_statement *included_by,
                      unsigned depth)
{
    if (depth > POLICY_MAX_DEPTH || policy->sources->len >= POLICY_MAX_FILES) {
        complain(policy, included_by, path, "is one file too many; does it come back to where it is included?");
        return;
    }
    char *text = load(policy, path, included_by);
    if (!text)
        return;
    struct policy_source *source = g_new0(struct policy_source, 1);
    source->path = g_string_chunk_insert(policy->texts, path);
    source->text = g_string_chunk_insert(policy->texts, text);
    g_free(text);
    g_ptr_array_add(policy->sources, source);
    const char *rest = source->text;
    unsigned line = 1;
    while (*rest) {
        struct policy_statement *s = split(policy, source, &rest, &line);
        if (policy_has(s, 0, "include"))
            include(policy, s, depth + 1);
        if (s->count)
            g_ptr_array_add(policy->statements, s);
        else
            statement_free(s);
    }
}

struct policy *policy_read_statements(const char *path)
{
    struct policy *policy = g_new0(struct policy, 1);
    policy->name = "";
    policy->texts = g_string_chunk_new(4096);
    policy->sources = g_ptr_array_new_with_free_func(g_free);
    policy->statements = g_ptr_array_new_with_free_func(statement_free);
    policy->labels = g_ptr_array_new();
    policy->identities = g_array_new(FALSE, TRUE, sizeof(struct policy_identity));
    policy->rules = g_array_new(FALSE, TRUE, sizeof(struct policy_rule));
    policy->messages = g_ptr_array_new_with_free_func(g_free);
    read_file(policy, path, NULL, 0);
    return policy;
}

struct policy *policy_read(const char *path)
{
    struct policy *policy = policy_read_statements(path);
    policy_declare(policy);
    policy_read_rules(policy);
    return policy;
}

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    for (unsigned i = 0; i < policy->rules->len; i++) {
        struct policy_rule *rule = &g_array_index(policy->rules, struct policy_rule, i);
        g_array_free(rule->subjects, TRUE);
        g_array_free(rule->objects, TRUE);
    }
    g_array_free(policy->rules, TRUE);
    g_array_free(policy->identities, TRUE);
    g_ptr_array_free(policy->labels, TRUE);
    g_ptr_array_free(policy->statements, TRUE);
    g_ptr_array_free(policy->sources, TRUE);
    g_ptr_array_free(policy->messages, TRUE);
    g_string_chunk_free(policy->texts);
    g_free(policy);
}
