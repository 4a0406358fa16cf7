/* A table in force is never changed and counted by its users: who asks holds it, so it can be replaced meanwhile. */
#include "asker.h"
#include "errors.h"
#include "guest_label.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct in_force {
    struct policy_table table;
    GBytes *bytes;
} policy_in_force;

struct policy_asker {
    policy_tell_fn tell;
    gpointer user;
    GMutex lock;               /* of what follows */
    struct in_force *in_force; /* NULL: none */
    gboolean unusable;         /* the first one that there was could not be used */
};

static const char *const verb_words[POLICY_VERB_LIMIT] = {
#define VERB(number, name, words, subjects, objects, enforcer, text) [number] = words,
    POLICY_VERBS(VERB)
#undef VERB
};

enum policy_verb policy_verb_by_words(const char *words)
{
    guint verb = 0;
    while (verb < POLICY_VERB_LIMIT && g_strcmp0(verb_words[verb], words) != 0)
        verb++;
    return (enum policy_verb)(words ? verb : POLICY_VERB_LIMIT);
}

const char *policy_verb_text(enum policy_verb verb)
{
    return (guint)verb < POLICY_VERB_LIMIT && verb_words[verb] ? verb_words[verb] : "";
}

/* ---- the table in force ---- */

static void in_force_clear(gpointer data)
{
    struct in_force *in_force = data;
    g_bytes_unref(in_force->bytes);
}

static void in_force_release(struct in_force *in_force)
{
    if (in_force)
        g_atomic_rc_box_release_full(in_force, in_force_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(policy_in_force, in_force_release)

static struct in_force *hold(struct policy_asker *asker, gboolean *unusable)
{
    g_mutex_lock(&asker->lock);
    struct in_force *in_force = asker->in_force ? g_atomic_rc_box_acquire(asker->in_force) : NULL;
    if (unusable)
        *unusable = asker->unusable;
    g_mutex_unlock(&asker->lock);
    return in_force;
}

static void put_in_force(struct policy_asker *asker, struct in_force *new)
{
    g_mutex_lock(&asker->lock);
    struct in_force *old = asker->in_force;
    asker->in_force = new;
    asker->unusable = FALSE;
    g_mutex_unlock(&asker->lock);
    in_force_release(old);
}

static gboolean check(const void *table, gsize size, struct policy_table *checked, GError **error)
{
    enum policy_load result = policy_table_load(checked, table, size);
    if (result == POLICY_LOADED && !policy_table_missing(checked))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "The policy is refused: it is %s.",
                result == POLICY_LOADED ? "one by which the machine could not run, or take another"
                                        : policy_load_text(result));
    return FALSE;
}

gboolean policy_asker_take(struct policy_asker *asker, const void *table, gsize size, GError **error)
{
    struct policy_table checked;
    GBytes *bytes = g_bytes_new(table, size); /* whose memory is aligned, whatever the caller's is */
    gconstpointer copy = g_bytes_get_data(bytes, NULL);
    if (!check(copy, size, &checked, error) || (asker->tell && !asker->tell(copy, size, asker->user, error))) {
        g_bytes_unref(bytes);
        return FALSE;
    }
    struct in_force *new = g_atomic_rc_box_new0(struct in_force);
    new->table = checked;
    new->bytes = bytes;
    put_in_force(asker, new);
    return TRUE;
}

/* No more than a table may have, and one byte, which is refused. */
static GByteArray *read_file(int fd)
{
    GByteArray *bytes = g_byte_array_sized_new(POLICY_MAX_FILE + 1);
    guint8 piece[16384];
    for (ssize_t got; bytes->len <= POLICY_MAX_FILE && (got = read(fd, piece, sizeof(piece))) != 0;) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            g_byte_array_unref(bytes);
            return NULL;
        }
        g_byte_array_append(bytes, piece, (guint)got);
    }
    return bytes;
}

static gboolean take_file(struct policy_asker *asker, int fd, GError **error)
{
    struct stat status;
    GByteArray *bytes = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read_file(fd) : NULL;
    if (!bytes) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "The policy is refused: it cannot be read.");
        return FALSE;
    }
    gboolean taken = policy_asker_take(asker, bytes->data, bytes->len, error);
    g_byte_array_unref(bytes);
    return taken;
}

/* Who has none in force cannot go on with it. */
static void note_unusable(struct policy_asker *asker)
{
    g_mutex_lock(&asker->lock);
    asker->unusable = !asker->in_force;
    g_mutex_unlock(&asker->lock);
}

gboolean policy_asker_read(struct policy_asker *asker, const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code = errno;
    g_autoptr(policy_in_force) old = hold(asker, NULL);
    if (fd < 0 && code == ENOENT && !old)
        return TRUE;
    gboolean taken = fd >= 0 && take_file(asker, fd, &cause);
    if (fd >= 0)
        close(fd);
    if (taken)
        return TRUE;
    note_unusable(asker);
    g_set_error(error, RH_ERROR, cause ? cause->code : RH_ERROR_BAD_CONFIG, "%s: %s %s", path,
                cause ? cause->message : g_strerror(code),
                old ? "The one before goes on." : "Until another is put in force nothing is allowed.");
    return FALSE;
}

char *policy_asker_name(struct policy_asker *asker)
{
    g_autoptr(policy_in_force) in_force = hold(asker, NULL);
    return g_strdup(in_force ? policy_table_string(&in_force->table, in_force->table.file->name) : "");
}

GBytes *policy_asker_table(struct policy_asker *asker)
{
    g_autoptr(policy_in_force) in_force = hold(asker, NULL);
    return in_force ? g_bytes_ref(in_force->bytes) : NULL;
}

/* ---- questions ---- */

static guint32 find_guest(const struct policy_table *table, const struct policy_party *party)
{
    struct guest_label label;
    if (!guest_label_read(party->label, &label))
        return 0;
    return policy_table_guest(table, party->name, label.service ? POLICY_CLASS_SERVICE : POLICY_CLASS_DESKTOP,
                              label.word);
}

/* The one that is declared by this name, otherwise the class of what this machine's bridges lead to. */
static guint32 find_network(const struct policy_table *table, const char *name)
{
    char context[GUEST_CONTEXT_BYTES];
    g_snprintf(context, sizeof(context), "network:%s", name);
    guint32 named = policy_table_by_context(table, context);
    return named ? named : policy_table_by_context(table, "wired-network");
}

static guint32 find_party(const struct policy_table *table, const struct policy_party *party)
{
    static const char *const contexts[POLICY_CATEGORIES] = {
        [POLICY_LAPTOP] = "laptop",
        [POLICY_PERSON] = "person",
        [POLICY_ADMINISTRATOR] = "administrator",
        [POLICY_REMOTE] = "remote-management",
    };
    if (party->category == POLICY_GUEST)
        return find_guest(table, party);
    if (party->category == POLICY_NETWORK)
        return find_network(table, party->name);
    const char *context = (guint)party->category < POLICY_CATEGORIES ? contexts[party->category] : NULL;
    return context ? policy_table_by_context(table, context) : 0;
}

gboolean policy_allows_less(enum policy_effect a, enum policy_effect b)
{
    static const int permissiveness[POLICY_EFFECTS] = {[POLICY_DENY] = 0, [POLICY_ASK] = 1, [POLICY_ALLOW] = 2};
    return permissiveness[a] < permissiveness[b];
}

/* What is not known is tried both ways, in all combinations: the least that may be counts. */
static struct policy_answer ask_table(const struct policy_table *table, guint32 subject, enum policy_verb verb,
                                      guint32 object, guint16 holds, guint16 unknown, guint16 minute)
{
    struct policy_moment moment = {.conditions = holds, .minute = minute};
    struct policy_answer least = policy_table_ask(table, subject, verb, object, moment);
    for (guint16 set = unknown; set; set = (guint16)((set - 1) & unknown)) {
        moment.conditions = (guint16)(holds | set);
        struct policy_answer answer = policy_table_ask(table, subject, verb, object, moment);
        if (policy_allows_less(answer.effect, least.effect))
            least = answer;
    }
    return least;
}

static void rule_text(const struct policy_table *table, guint32 rule, char *text, gsize bytes)
{
    const struct policy_file_rule *r = &table->rules[rule];
    if (rule)
        g_snprintf(text, bytes, "%s:%u: %s", policy_table_string(table, r->file), r->line,
                   policy_table_string(table, r->text));
    else
        g_strlcpy(text, policy_table_string(table, r->text), bytes);
}

static gboolean is_on_screen(const struct policy_party *subject, const struct policy_facts *facts)
{
    return subject->category == POLICY_GUEST && *facts->on_screen && g_strcmp0(subject->name, facts->on_screen) == 0;
}

static void name_party(const struct policy_table *table, const struct policy_party *party, guint32 identity,
                       char text[POLICY_PARTY_BYTES])
{
    const char *context = policy_table_context(table, identity);
    if (party->category == POLICY_GUEST)
        g_snprintf(text, POLICY_PARTY_BYTES, "%s (%s)", party->name, context);
    else
        g_strlcpy(text, context, POLICY_PARTY_BYTES);
}

static struct policy_decision decide(const struct policy_table *table, const struct policy_party *subject,
                                     enum policy_verb verb, const struct policy_party *object,
                                     const struct policy_facts *facts)
{
    guint32 s = find_party(table, subject), o = find_party(table, object);
    guint16 holds = (guint16)(facts->holds | (is_on_screen(subject, facts) ? POLICY_WHEN_ON_SCREEN : 0));
    struct policy_answer answer = ask_table(table, s, verb, o, holds, facts->unknown, facts->minute);
    struct policy_decision decision = {
        .effect = answer.effect, .remember = answer.remember, .seconds = answer.seconds, .verb = verb, .by_rule = TRUE};
    name_party(table, subject, s, decision.subject);
    name_party(table, object, o, decision.object);
    rule_text(table, answer.rule, decision.rule, sizeof(decision.rule));
    return decision;
}

struct policy_decision policy_ask(struct policy_asker *asker, const struct policy_party *subject, enum policy_verb verb,
                                  const struct policy_party *object, const struct policy_facts *facts)
{
    gboolean unusable;
    g_autoptr(policy_in_force) in_force = hold(asker, &unusable);
    if (in_force)
        return decide(&in_force->table, subject, verb, object, facts);
    gboolean replaces = subject->category == POLICY_ADMINISTRATOR && verb == POLICY_VERB_CHANGE_POLICY;
    struct policy_decision decision = {.effect = unusable && !replaces ? POLICY_DENY : POLICY_ALLOW, .verb = verb};
    if (unusable)
        g_strlcpy(decision.rule, "the policy cannot be used, so nothing is allowed until another is put in force",
                  sizeof(decision.rule));
    return decision;
}

/* ---- labels ---- */

static char *known_labels(const struct policy_table *table)
{
    GString *text = g_string_new(NULL);
    for (guint32 i = 1; i < table->file->identities; i++) {
        const struct policy_file_identity *id = &table->identities[i];
        const char *label = policy_table_string(table, id->label);
        if (id->category == POLICY_GUEST && id->class == POLICY_CLASS_DESKTOP &&
            !*policy_table_string(table, id->name) && *label)
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", label);
    }
    return g_string_free(text, FALSE);
}

static gboolean refuse_label(const struct policy_table *table, const char *word, GError **error)
{
    g_autofree char *known = known_labels(table);
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "label: the policy %s knows no label \"%s\"; it knows %s.",
                policy_table_string(table, table->file->name), word, *known ? known : "none");
    return FALSE;
}

/* Of a guest that the policy names the policy alone says what it is. */
static gboolean agrees(const struct policy_table *table, const struct policy_file_identity *id,
                       const struct guest_label *label)
{
    return g_str_equal(policy_table_string(table, id->label), label->word) &&
           (id->class == POLICY_CLASS_SERVICE) == label->service;
}

static gboolean label_of(const struct policy_table *table, const char *name, const char *text, char *context,
                         GError **error)
{
    struct guest_label label = {FALSE, ""};
    const struct policy_party party = {POLICY_GUEST, name, text};
    guint32 identity = guest_label_read(text, &label) ? find_party(table, &party) : 0;
    const struct policy_file_identity *id = &table->identities[identity];
    if (!identity)
        return refuse_label(table, *label.word ? label.word : text, error);
    if (text && *policy_table_string(table, id->name) && !agrees(table, id, &label)) {
        const char *word = policy_table_string(table, id->label);
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "label: the policy %s says that %s is a %s%s%s. Take this setting away, or change the policy.",
                    policy_table_string(table, table->file->name), name,
                    id->class == POLICY_CLASS_SERVICE ? "service" : "desktop", *word ? " labelled " : "", word);
        return FALSE;
    }
    g_strlcpy(context, policy_table_context(table, identity), GUEST_CONTEXT_BYTES);
    return TRUE;
}

gboolean policy_label(struct policy_asker *asker, const char *name, const char *label,
                      char context[GUEST_CONTEXT_BYTES], GError **error)
{
    g_autoptr(policy_in_force) in_force = hold(asker, NULL);
    context[0] = '\0';
    return !in_force || label_of(&in_force->table, name, label, context, error);
}

/* ---- life ---- */

struct policy_asker *policy_asker_new(policy_tell_fn tell, gpointer user)
{
    struct policy_asker *asker = g_new0(struct policy_asker, 1);
    asker->tell = tell;
    asker->user = user;
    g_mutex_init(&asker->lock);
    return asker;
}

void policy_asker_free(struct policy_asker *asker)
{
    if (!asker)
        return;
    in_force_release(asker->in_force);
    g_mutex_clear(&asker->lock);
    g_free(asker);
}
