/* A reader that goes from left to right; each part that does not fit sets `bad`, after which nothing is taken. */
#include "record.h"

#include <string.h>

enum type { TEXT, NUMBER, TRUTH };

struct member {
    char *name, *text;
    enum type type;
    gint64 number;
};

struct record {
    GPtrArray *members;
};

struct reader {
    const char *at, *end;
    gboolean bad;
};

static gboolean sees(const struct reader *r, char letter)
{
    return !r->bad && r->at < r->end && *r->at == letter;
}

static void skip_spaces(struct reader *r)
{
    while (sees(r, ' '))
        r->at++;
}

static void expect(struct reader *r, char letter)
{
    if (sees(r, letter))
        r->at++;
    else
        r->bad = TRUE;
}

/* ---- values ---- */

static gunichar read_code(struct reader *r)
{
    gunichar code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = r->at < r->end ? g_ascii_xdigit_value(*r->at++) : -1;
        if (digit < 0)
            r->bad = TRUE;
        code = code * 16 + (guint)MAX(digit, 0);
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        r->bad = TRUE;
    return code;
}

static void read_escape(struct reader *r, GString *text)
{
    static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    char letter = r->at < r->end ? *r->at++ : '\0';
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (letter == 'u')
        g_string_append_unichar(text, read_code(r));
    else if (known)
        g_string_append_c(text, means[known - letters]);
    else
        r->bad = TRUE;
}

static char *read_text(struct reader *r)
{
    GString *text = g_string_new(NULL);
    expect(r, '"');
    while (!r->bad && !sees(r, '"')) {
        guchar letter = r->at < r->end ? (guchar)*r->at++ : '\0';
        if (letter == '\\')
            read_escape(r, text);
        else if (letter < ' ')
            r->bad = TRUE;
        else
            g_string_append_c(text, (char)letter);
    }
    expect(r, '"');
    return g_string_free(text, FALSE);
}

static gint64 read_number(struct reader *r)
{
    gboolean negative = sees(r, '-');
    gint64 number = 0;
    guint digits = 0;
    r->at += negative;
    for (; r->at < r->end && g_ascii_isdigit(*r->at); r->at++)
        if (++digits <= 18)
            number = number * 10 + (*r->at - '0');
    if (digits == 0 || digits > 18)
        r->bad = TRUE;
    return negative ? -number : number;
}

static gboolean read_word(struct reader *r, const char *word)
{
    gsize length = strlen(word);
    if ((gsize)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return FALSE;
    r->at += length;
    return TRUE;
}

static void read_value(struct reader *r, struct member *member)
{
    if (sees(r, '"')) {
        member->type = TEXT;
        member->text = read_text(r);
    } else if (read_word(r, "true")) {
        member->type = TRUTH;
        member->number = TRUE;
    } else if (read_word(r, "false")) {
        member->type = TRUTH;
    } else {
        member->type = NUMBER;
        member->number = read_number(r);
    }
}

/* ---- the record ---- */

static void member_free(gpointer data)
{
    struct member *member = data;
    g_free(member->name);
    g_free(member->text);
    g_free(member);
}

static const struct member *find(const struct record *record, const char *name, enum type type)
{
    for (guint i = 0; i < record->members->len; i++) {
        const struct member *member = g_ptr_array_index(record->members, i);
        if (member->type == type && strcmp(member->name, name) == 0)
            return member;
    }
    return NULL;
}

static gboolean is_there(const struct record *record, const char *name)
{
    return find(record, name, TEXT) || find(record, name, NUMBER) || find(record, name, TRUTH);
}

static void read_member(struct reader *r, struct record *record)
{
    struct member *member = g_new0(struct member, 1);
    member->name = read_text(r);
    expect(r, ':');
    skip_spaces(r);
    read_value(r, member);
    if (is_there(record, member->name) || record->members->len == RECORD_MEMBERS_MAX)
        r->bad = TRUE;
    g_ptr_array_add(record->members, member);
}

struct record *record_parse(const char *line, gsize length)
{
    if (length > RECORD_BYTES_MAX || !g_utf8_validate(line, (gssize)length, NULL))
        return NULL;
    struct reader r = {line, line + length, FALSE};
    struct record *record = g_new0(struct record, 1);
    record->members = g_ptr_array_new_with_free_func(member_free);
    expect(&r, '{');
    do {
        skip_spaces(&r);
        read_member(&r, record);
    } while (sees(&r, ',') && r.at++);
    expect(&r, '}');
    if (!r.bad && r.at == r.end && *record_kind(record))
        return record;
    record_free(record);
    return NULL;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    g_ptr_array_unref(record->members);
    g_free(record);
}

const char *record_kind(const struct record *record)
{
    return record_text(record, "record");
}

const char *record_text(const struct record *record, const char *name)
{
    const struct member *member = find(record, name, TEXT);
    return member ? member->text : "";
}

gint64 record_number(const struct record *record, const char *name)
{
    const struct member *member = find(record, name, NUMBER);
    return member ? member->number : -1;
}

gboolean record_truth(const struct record *record, const char *name)
{
    const struct member *member = find(record, name, TRUTH);
    return member && member->number;
}
