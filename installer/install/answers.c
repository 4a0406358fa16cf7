/* One table of names, one line after the other, and then what belongs together. */
#include "answers.h"
#include "passphrase.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reader {
    const char *file;
    guint line;
    const struct answer_places *places;
    GPtrArray *mistakes;
    struct answers *answers;
};

const struct answer_places answer_places = {
    .keyboards = "/usr/share/X11/xkb/rules/base.lst",
    .time_zones = "/usr/share/zoneinfo",
    .policies = "/usr/share/roundhouse/policies",
};

static void mistake(struct reader *r, guint line, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void mistake(struct reader *r, guint line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(r->mistakes, line ? g_strdup_printf("%s:%u: %s", r->file, line, text)
                                      : g_strdup_printf("%s: %s", r->file, text));
}

/* ---- the words that were meant ---- */

/* How many letters have to be changed, put in or taken out. */
static guint distance(const char *one, const char *other)
{
    gsize length = strlen(other);
    g_autofree guint *row = g_new(guint, length + 1);
    for (gsize i = 0; i <= length; i++)
        row[i] = (guint)i;
    for (guint i = 1; one[i - 1]; i++) {
        guint corner = row[0];
        row[0] = i;
        for (gsize j = 1; j <= length; j++) {
            guint above = row[j];
            row[j] = MIN(MIN(above, row[j - 1]) + 1, corner + (one[i - 1] != other[j - 1]));
            corner = above;
        }
    }
    return row[length];
}

/* The nearest of the words, a NULL at their end; NULL if none is near. */
static const char *nearest(const char *const *words, const char *word)
{
    const char *best = NULL;
    guint least = MAX(2, (guint)strlen(word) / 3) + 1;
    for (; *words; words++) {
        guint found = distance(word, *words);
        if (found < least) {
            least = found;
            best = *words;
        }
    }
    return best;
}

/* ---- kinds of answers ---- */

struct key;
typedef void (*accept_fn)(struct reader *r, const struct key *key, const char *value);

struct key {
    const char *name;
    accept_fn accept;
    gsize offset;
    const char *const *words; /* of accept_word: its place in them is the value */
    const char *fallback;     /* NULL: a new installation cannot do without it, unless `optional` */
    gboolean optional;
    gboolean always; /* of a renewal too */
};

static char **text_of(struct reader *r, const struct key *key)
{
    return (char **)((char *)r->answers + key->offset);
}

static void accept_text(struct reader *r, const struct key *key, const char *value)
{
    *text_of(r, key) = g_strdup(value);
}

static void accept_word(struct reader *r, const struct key *key, const char *value)
{
    for (int i = 0; key->words[i]; i++)
        if (strcmp(key->words[i], value) == 0) {
            *(int *)((char *)r->answers + key->offset) = i;
            return;
        }
    g_autofree char *all = g_strjoinv(", ", (char **)key->words);
    const char *meant = nearest(key->words, value);
    mistake(r, r->line, "%s is \"%s\", and can be %s.%s%s%s", key->name, value, all, meant ? " Was \"" : "",
            meant ? meant : "", meant ? "\" meant?" : "");
}

static void accept_path(struct reader *r, const struct key *key, const char *value)
{
    if (!g_path_is_absolute(value))
        mistake(r, r->line, "%s is \"%s\", and has to be a path that begins with \"/\".", key->name, value);
    else
        accept_text(r, key, value);
}

static void accept_pattern(struct reader *r, const struct key *key, const char *value, const char *pattern,
                           const char *what)
{
    if (!g_regex_match_simple(pattern, value, G_REGEX_DOLLAR_ENDONLY, 0))
        mistake(r, r->line, "%s is \"%s\", and has to be %s.", key->name, value, what);
    else
        accept_text(r, key, value);
}

static void accept_host_name(struct reader *r, const struct key *key, const char *value)
{
    accept_pattern(r, key, value, "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
                   "made of a to z, 0 to 9 and \"-\", 63 letters at most, as in \"laptop-1\"");
}

static void accept_person(struct reader *r, const struct key *key, const char *value)
{
    accept_pattern(r, key, value, "^[a-z][a-z0-9_-]{0,30}$",
                   "made of a to z, 0 to 9, \"-\" and \"_\", with a letter first, 31 letters at most");
}

static void accept_language(struct reader *r, const struct key *key, const char *value)
{
    accept_pattern(r, key, value, "^([a-z]{2,3}(_[A-Z]{2})?|C)\\.UTF-8$", "as in \"en_GB.UTF-8\"");
}

static void accept_hash(struct reader *r, const struct key *key, const char *value)
{
    accept_pattern(r, key, value, "^\\$(y|gy|7|6|2b)\\$[./A-Za-z0-9$,=-]{20,}$",
                   "what mkpasswd(1) or openssl-passwd(1) gives, of yescrypt, scrypt, bcrypt or SHA-512");
}

static void accept_passphrase(struct reader *r, const struct key *key, const char *value)
{
    g_autofree char *weakness = passphrase_weakness(value);
    if (weakness)
        mistake(r, r->line, "%s is too weak: %s.", key->name, weakness);
    else
        accept_text(r, key, value);
}

static void accept_recovery_key(struct reader *r, const struct key *key, const char *value)
{
    /* The value is a secret: what is wrong with it is said without it. */
    if (!g_regex_match_simple("^[cbdefghijklnrtuv]{8}(-[cbdefghijklnrtuv]{8}){7}$", value, G_REGEX_DOLLAR_ENDONLY, 0))
        mistake(r, r->line, "%s is none that the installer has made.", key->name);
    else
        accept_text(r, key, value);
}

static void accept_time_zone(struct reader *r, const struct key *key, const char *value)
{
    g_autofree char *path = g_build_filename(r->places->time_zones, value, NULL);
    if (value[0] == '/' || strstr(value, "..") || !g_file_test(path, G_FILE_TEST_IS_REGULAR))
        mistake(r, r->line, "%s is \"%s\", which is no time zone; it is written as in \"Europe/Berlin\".", key->name,
                value);
    else
        accept_text(r, key, value);
}

/* In base.lst, between the lines "! layout" and the next with "!": "  de              German". */
static GPtrArray *layouts(const char *path)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *text = NULL;
    gboolean inside = FALSE;
    if (g_file_get_contents(path, &text, NULL, NULL)) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
            char word[33];
            if (**line == '!')
                inside = g_str_has_prefix(*line, "! layout");
            else if (inside && sscanf(*line, "%32s", word) == 1)
                g_ptr_array_add(found, g_strdup(word));
        }
    }
    g_ptr_array_add(found, NULL);
    return found;
}

static void accept_keyboard(struct reader *r, const struct key *key, const char *value)
{
    g_autoptr(GPtrArray) known = layouts(r->places->keyboards);
    const char *const *words = (const char *const *)known->pdata;
    if (g_strv_contains(words, value)) {
        accept_text(r, key, value);
        return;
    }
    const char *meant = nearest(words, value);
    mistake(r, r->line, "%s is \"%s\", which is none of the %u layouts in %s.%s%s%s", key->name, value, known->len - 1,
            r->places->keyboards, meant ? " Was \"" : "", meant ? meant : "", meant ? "\" meant?" : "");
}

static void accept_policy(struct reader *r, const struct key *key, const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s.policy", r->places->policies, value);
    if (strchr(value, '/') || !g_file_test(path, G_FILE_TEST_IS_REGULAR))
        mistake(r, r->line, "%s is \"%s\", and there is no %s.", key->name, value, path);
    else
        accept_text(r, key, value);
}

/* ---- the table ---- */

static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const uses[] = {"whole-disk", "free-space", "renew", NULL};

#define FIELD(name) offsetof(struct answers, name)

static const struct key keys[] = {
    {.name = "disk", accept_path, FIELD(disk), .always = TRUE},
    {.name = "use", accept_word, FIELD(use), .words = uses, .always = TRUE},
    {.name = "erase-guests", accept_word, FIELD(erase_guests), .words = no_yes, .fallback = "no"},
    {.name = "encrypt", accept_word, FIELD(encrypt), .words = no_yes},
    {.name = "discard", accept_word, FIELD(discard), .words = no_yes, .fallback = "no"},
    {.name = "passphrase", accept_passphrase, FIELD(passphrase), .optional = TRUE},
    {.name = "recovery-key-file", accept_path, FIELD(recovery_key_file), .optional = TRUE},
    {.name = "recovery-key", accept_recovery_key, FIELD(recovery_key), .optional = TRUE},
    {.name = "host-name", accept_host_name, FIELD(host_name), .fallback = "roundhouse"},
    {.name = "keyboard", accept_keyboard, FIELD(keyboard)},
    {.name = "language", accept_language, FIELD(language), .fallback = "C.UTF-8"},
    {.name = "time-zone", accept_time_zone, FIELD(time_zone)},
    {.name = "person", accept_person, FIELD(person)},
    {.name = "password", accept_text, FIELD(password), .optional = TRUE},
    {.name = "password-hash", accept_hash, FIELD(password_hash), .optional = TRUE},
    {.name = "policy", accept_policy, FIELD(policy), .fallback = "default"},
};

/* Where each was answered; 0: nowhere. */
struct lines {
    guint of[G_N_ELEMENTS(keys)];
};

static guint index_of(const char *name)
{
    guint i = 0;
    while (i < G_N_ELEMENTS(keys) && strcmp(keys[i].name, name) != 0)
        i++;
    return i;
}

static guint line_of(const struct lines *lines, const char *name)
{
    return lines->of[index_of(name)];
}

static void unknown_name(struct reader *r, const char *name)
{
    const char *names[G_N_ELEMENTS(keys) + 1] = {NULL};
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        names[i] = keys[i].name;
    const char *meant = nearest(names, name);
    if (meant)
        mistake(r, r->line, "there is no answer \"%s\". Was \"%s\" meant?", name, meant);
    else
        mistake(r, r->line, "there is no answer \"%s\". roundhouse-install(8) lists them.", name);
}

static void read_line(struct reader *r, char *line, struct lines *lines)
{
    char *equals = strchr(g_strstrip(line), '=');
    if (*line == '\0' || *line == '#')
        return;
    if (!equals) {
        mistake(r, r->line, "\"%s\" is no answer: name = value.", line);
        return;
    }
    *equals = '\0';
    const char *name = g_strchomp(line), *value = g_strchug(equals + 1);
    guint i = index_of(name);
    if (i == G_N_ELEMENTS(keys))
        unknown_name(r, name);
    else if (lines->of[i])
        mistake(r, r->line, "%s was answered before, in line %u.", name, lines->of[i]);
    else if (*value == '\0')
        mistake(r, r->line, "%s has no value. Leave the line out if there is none.", name);
    else
        keys[i].accept(r, &keys[i], value);
    if (i < G_N_ELEMENTS(keys) && !lines->of[i])
        lines->of[i] = r->line;
}

/* ---- what belongs together ---- */

static void check_present(struct reader *r, const struct lines *lines)
{
    gboolean renew = r->answers->use == USE_RENEW;
    r->line = 0;
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        const struct key *key = &keys[i];
        if (lines->of[i]) {
            if (renew && !key->always)
                mistake(r, lines->of[i], "%s is of no use with \"use = renew\": settings and guests stay as they are.",
                        key->name);
        } else if (key->always || !(renew || key->optional || key->fallback)) {
            mistake(r, 0, "%s is not answered.", key->name);
        } else if (!renew && key->fallback) {
            key->accept(r, key, key->fallback);
        }
    }
}

static void check_encryption(struct reader *r, const struct lines *lines)
{
    static const struct {
        const char *name, *instead;
        gboolean needed;
    } answers[] = {
        {"passphrase", NULL, TRUE},
        {"recovery-key-file", "recovery-key", TRUE},
        {"recovery-key", "recovery-key-file", FALSE},
        {"discard", NULL, FALSE},
    };
    gboolean encrypt = r->answers->encrypt;
    for (guint i = 0; line_of(lines, "encrypt") && i < G_N_ELEMENTS(answers); i++) {
        guint line = line_of(lines, answers[i].name);
        guint other = answers[i].instead ? line_of(lines, answers[i].instead) : 0;
        if (line && !encrypt)
            mistake(r, line, "%s is of no use with \"encrypt = no\".", answers[i].name);
        if (!line && !other && encrypt && answers[i].needed)
            mistake(r, 0, "%s is not answered, and \"encrypt = yes\" in line %u needs it.", answers[i].name,
                    line_of(lines, "encrypt"));
        if (line && other && encrypt && answers[i].needed)
            mistake(r, MAX(line, other), "%s and %s are both answered; one is enough.", answers[i].name,
                    answers[i].instead);
    }
    const char *path = r->answers->recovery_key_file;
    g_autofree char *folder = g_path_get_dirname(path ? path : "/");
    if (path && access(folder, W_OK) < 0)
        mistake(r, line_of(lines, "recovery-key-file"), "%s cannot be written: %s.", folder, g_strerror(errno));
    if (path && g_file_test(path, G_FILE_TEST_EXISTS))
        mistake(r, line_of(lines, "recovery-key-file"),
                "%s is there already: the recovery key is written into a new file.", path);
}

/* A renewal has told this already. */
static void check_use(struct reader *r, const struct lines *lines)
{
    guint line = line_of(lines, "erase-guests");
    if (line && r->answers->use == USE_FREE_SPACE)
        mistake(r, line, "erase-guests is of no use with \"use = free-space\", which erases nothing.");
}

static void check_password(struct reader *r, const struct lines *lines)
{
    guint hash = line_of(lines, "password-hash"), password = line_of(lines, "password");
    if (hash && password)
        mistake(r, MAX(hash, password), "password and password-hash are both answered; one is enough.");
    else if (!hash && !password)
        mistake(r, 0, "password is not answered, and neither is password-hash.");
}

struct answers *answers_read(const char *name, const char *text, const struct answer_places *places,
                             GPtrArray *mistakes)
{
    struct answers *answers = g_new0(struct answers, 1);
    struct reader r = {.file = name, .places = places, .mistakes = mistakes, .answers = answers};
    struct lines lines = {0};
    guint before = mistakes->len;
    g_auto(GStrv) all = g_strsplit(text, "\n", -1);
    for (char **line = all; *line; line++) {
        r.line++;
        if (g_utf8_validate(*line, -1, NULL))
            read_line(&r, *line, &lines);
        else
            mistake(&r, r.line, "this line is not text in UTF-8.");
    }
    check_present(&r, &lines);
    if (answers->use != USE_RENEW) {
        check_use(&r, &lines);
        check_encryption(&r, &lines);
        check_password(&r, &lines);
    }
    if (mistakes->len == before)
        return answers;
    answers_free(answers);
    return NULL;
}

struct answers *answers_load(const char *path, const struct answer_places *places, GPtrArray *mistakes)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    gsize length = 0;
    if (!g_file_get_contents(path, &text, &length, &error)) {
        g_ptr_array_add(mistakes, g_strdup_printf("%s.", error->message));
        return NULL;
    }
    struct answers *answers = NULL;
    if (strlen(text) == length)
        answers = answers_read(path, text, places, mistakes);
    else
        g_ptr_array_add(mistakes, g_strdup_printf("%s: this is no text: it has a byte that is zero.", path));
    explicit_bzero(text, length);
    g_free(text);
    return answers;
}

void answers_free(struct answers *answers)
{
    if (!answers)
        return;
    secret_free(answers->passphrase);
    secret_free(answers->password);
    secret_free(answers->recovery_key);
    answers->passphrase = answers->password = answers->recovery_key = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (keys[i].accept != accept_word)
            g_free(*(char **)((char *)answers + keys[i].offset));
    g_free(answers);
}
