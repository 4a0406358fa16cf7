/*
 * Questions on the bus, and the answers that are kept: those that end with a guest in memory, the others in a file, a
 * line each with tabs: how long, until when (seconds since 1970), in which boot, subject, verb, object.
 */
#include "questions.h"
#include "errors.h"
#include "roundhouse_dbus.h"

#include <string.h>

#ifndef POLICY_QUESTION_SECONDS
#define POLICY_QUESTION_SECONDS 60
#endif
#define FILE_BYTES_MAX (POLICY_ANSWERS_MAX * 2048)
#define BOOT_ID        "/proc/sys/kernel/random/boot_id"

struct answer {
    enum policy_remember remember;
    gint64 until; /* seconds since 1970, of POLICY_FOR_SECONDS */
    enum policy_verb verb;
    char *subject, *object;
};

struct policy_questions {
    GDBusObjectManagerServer *objects;
    struct authority *authority;
    struct policy_log *log;
    char *path, *boot;
    GQueue pending; /* struct asked */
    GQueue answers; /* struct answer, the oldest first */
    guint64 last_number;
};

/* A question that is on the bus. */
struct asked {
    struct policy_questions *questions;
    RhQuestion1 *skeleton;
    char *path;
    struct policy_decision decision;
    guint32 uid; /* of who wants to */
    policy_answered_fn answered;
    gpointer user;
    guint timer;
};

static const char *const remember_words[POLICY_REMEMBERS] = {
    [POLICY_ASK_EACH_TIME] = "once", [POLICY_UNTIL_GUEST_STOPS] = "guest", [POLICY_UNTIL_RESTART] = "restart",
    [POLICY_FOR_SECONDS] = "time",   [POLICY_FOREVER] = "forever",
};

static gint64 now(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* ---- answers that are kept ---- */

static void answer_free(gpointer data)
{
    struct answer *answer = data;
    g_free(answer->subject);
    g_free(answer->object);
    g_free(answer);
}

static gboolean still_counts(const struct answer *answer)
{
    return answer->remember != POLICY_FOR_SECONDS || answer->until > now();
}

static gboolean is_to(const struct answer *answer, enum policy_verb verb, const char *subject, const char *object)
{
    return answer->verb == verb && g_str_equal(answer->subject, subject) && g_str_equal(answer->object, object);
}

/* Instead of an earlier one to the same. What counts no more takes nobody's room. */
static void keep(struct policy_questions *questions, struct answer *answer)
{
    g_queue_push_tail(&questions->answers, answer);
    for (GList *link = questions->answers.head, *next; link; link = next) {
        struct answer *other = link->data;
        next = link->next;
        if (still_counts(other) && (other == answer || !is_to(other, answer->verb, answer->subject, answer->object)))
            continue;
        g_queue_delete_link(&questions->answers, link);
        answer_free(other);
    }
    if (g_queue_get_length(&questions->answers) > POLICY_ANSWERS_MAX)
        answer_free(g_queue_pop_head(&questions->answers));
}

static void write_answers(const struct policy_questions *questions)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    for (GList *link = questions->answers.head; link; link = link->next) {
        const struct answer *a = link->data;
        if (a->remember != POLICY_UNTIL_GUEST_STOPS && still_counts(a))
            g_string_append_printf(text, "%s\t%" G_GINT64_FORMAT "\t%s\t%s\t%s\t%s\n", remember_words[a->remember],
                                   a->until, questions->boot, a->subject, policy_verb_text(a->verb), a->object);
    }
    if (!g_file_set_contents_full(questions->path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  &error))
        g_warning("What was agreed cannot be kept: %s", error->message);
}

static enum policy_remember remember_by_word(const char *word)
{
    guint i = POLICY_ASK_EACH_TIME + 1;
    while (i < POLICY_REMEMBERS && !g_str_equal(remember_words[i], word))
        i++;
    return (enum policy_remember)i;
}

static void read_answer(struct policy_questions *questions, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "\t", 0);
    guint64 until = 0;
    if (g_strv_length(parts) != 6 || !g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXINT64, &until, NULL))
        return;
    struct answer found = {
        .remember = remember_by_word(parts[0]), .until = (gint64)until, .verb = policy_verb_by_words(parts[4])};
    gboolean this_boot = *questions->boot && g_str_equal(parts[2], questions->boot);
    if (found.remember == POLICY_REMEMBERS || found.remember == POLICY_UNTIL_GUEST_STOPS ||
        found.verb == POLICY_VERB_LIMIT || (found.remember == POLICY_UNTIL_RESTART && !this_boot))
        return;
    found.subject = g_strdup(parts[3]);
    found.object = g_strdup(parts[5]);
    keep(questions, g_memdup2(&found, sizeof(found)));
}

static void read_answers(struct policy_questions *questions)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(questions->path, FALSE, NULL);
    gsize length = file ? g_mapped_file_get_length(file) : 0;
    if (length == 0 || length > FILE_BYTES_MAX)
        return;
    g_autofree char *text = g_strndup(g_mapped_file_get_contents(file), length);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line; line++)
        read_answer(questions, *line);
}

/* As the rule that asks today lets it be remembered, and no longer. */
static gboolean fits(const struct answer *answer, const struct policy_decision *decision)
{
    return answer->remember == decision->remember &&
           (answer->remember != POLICY_FOR_SECONDS || answer->until - now() <= decision->seconds);
}

gboolean policy_questions_agreed(const struct policy_questions *questions, const struct policy_decision *decision)
{
    for (GList *link = questions->answers.head; link; link = link->next) {
        const struct answer *answer = link->data;
        if (is_to(answer, decision->verb, decision->subject, decision->object) && fits(answer, decision) &&
            still_counts(answer))
            return TRUE;
    }
    return FALSE;
}

static void remember(struct policy_questions *questions, const struct policy_decision *decision)
{
    gboolean in_file = decision->remember != POLICY_UNTIL_GUEST_STOPS;
    if (decision->remember == POLICY_ASK_EACH_TIME)
        return;
    struct answer *answer = g_new(struct answer, 1);
    *answer = (struct answer){.remember = decision->remember,
                              .until = decision->remember == POLICY_FOR_SECONDS ? now() + decision->seconds : 0,
                              .verb = decision->verb,
                              .subject = g_strdup(decision->subject),
                              .object = g_strdup(decision->object)};
    keep(questions, answer);
    if (in_file)
        write_answers(questions);
}

/* A party is a guest's name and, in brackets, what the policy knows it by; no name has brackets. */
static gboolean is_guest(const char *party, const char *name)
{
    gsize length = strlen(name);
    return strncmp(party, name, length) == 0 && g_str_has_prefix(party + length, " (");
}

/* Those of a guest: all, or what was agreed until it stops. TRUE: there were any. */
static gboolean forget(struct policy_questions *questions, const char *name, gboolean all)
{
    guint before = g_queue_get_length(&questions->answers);
    for (GList *link = questions->answers.head, *next; link; link = next) {
        struct answer *answer = link->data;
        next = link->next;
        if ((!all && answer->remember != POLICY_UNTIL_GUEST_STOPS) ||
            (!is_guest(answer->subject, name) && !is_guest(answer->object, name)))
            continue;
        g_queue_delete_link(&questions->answers, link);
        answer_free(answer);
    }
    return g_queue_get_length(&questions->answers) != before;
}

void policy_questions_guest_stopped(struct policy_questions *questions, const char *name)
{
    forget(questions, name, FALSE);
}

void policy_questions_guest_gone(struct policy_questions *questions, const char *name)
{
    if (forget(questions, name, TRUE))
        write_answers(questions);
}

/* ---- questions ---- */

static void take_off_bus(struct asked *asked)
{
    g_queue_remove(&asked->questions->pending, asked);
    g_clear_handle_id(&asked->timer, g_source_remove);
    g_dbus_object_manager_server_unexport(asked->questions->objects, asked->path);
    g_object_unref(asked->skeleton);
    g_free(asked->path);
    g_free(asked);
}

void policy_questions_agree(struct policy_questions *questions, const struct policy_decision *decision)
{
    policy_log_add(questions->log, decision, "agreed");
    remember(questions, decision);
}

static void settle(struct asked *asked, gboolean agreed, const char *outcome)
{
    const struct policy_decision decision = asked->decision;
    struct policy_questions *questions = asked->questions;
    policy_answered_fn answered = asked->answered;
    gpointer user = asked->user;
    g_autoptr(GError) error = NULL;
    take_off_bus(asked);
    if (agreed) {
        policy_questions_agree(questions, &decision);
    } else {
        policy_log_add(questions->log, &decision, outcome);
        g_set_error(&error, RH_ERROR, RH_ERROR_NOT_AGREED,
                    "The policy asks first whether %s may %s %s, and nobody said yes. %s", decision.subject,
                    policy_verb_text(decision.verb), decision.object, decision.rule);
    }
    answered(user, &decision, error);
}

static gboolean overdue(gpointer data)
{
    struct asked *asked = data;
    asked->timer = 0;
    settle(asked, FALSE, "unanswered");
    return G_SOURCE_REMOVE;
}

static void answer(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct asked *asked = user;
    gboolean agreed;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(b)", &agreed);
    g_dbus_method_invocation_return_value(invocation, NULL);
    settle(asked, agreed, "refused");
}

static void put_on_bus(struct asked *asked)
{
    static const struct authority_method methods[] = {{"handle-answer", answer, 0}, {NULL, NULL, 0}};
    g_autoptr(RhObjectSkeleton) object = rh_object_skeleton_new(asked->path);
    const struct policy_decision *decision = &asked->decision;
    rh_question1_set_subject(asked->skeleton, decision->subject);
    rh_question1_set_verb(asked->skeleton, policy_verb_text(decision->verb));
    rh_question1_set_object(asked->skeleton, decision->object);
    rh_question1_set_rule(asked->skeleton, decision->rule);
    rh_question1_set_remember(asked->skeleton, remember_words[decision->remember]);
    rh_question1_set_seconds(asked->skeleton, POLICY_QUESTION_SECONDS);
    authority_serve(asked->questions->authority, asked->skeleton, methods, asked);
    rh_object_skeleton_set_question1(object, asked->skeleton);
    g_dbus_object_manager_server_export(asked->questions->objects, G_DBUS_OBJECT_SKELETON(object));
}

static guint count_of(const struct policy_questions *questions, guint32 uid)
{
    guint count = 0;
    for (GList *link = questions->pending.head; link; link = link->next) {
        const struct asked *asked = link->data;
        count += asked->uid == uid;
    }
    return count;
}

gboolean policy_questions_put(struct policy_questions *questions, const struct policy_decision *decision, guint32 uid,
                              policy_answered_fn answered, gpointer user, GError **error)
{
    guint all = g_queue_get_length(&questions->pending), own = count_of(questions, uid);
    policy_log_add(questions->log, decision, "asked");
    if (all >= POLICY_QUESTIONS_MAX || own >= POLICY_QUESTIONS_OF_ONE) {
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_AGREED,
                    "The policy asks first, and %u questions wait already%s. Answer those. %s",
                    all >= POLICY_QUESTIONS_MAX ? all : own, all >= POLICY_QUESTIONS_MAX ? "" : " for you",
                    decision->rule);
        return FALSE;
    }
    struct asked *asked = g_new0(struct asked, 1);
    *asked = (struct asked){
        .questions = questions,
        .skeleton = rh_question1_skeleton_new(),
        .path = g_strdup_printf("/org/roundhouse/questions/%" G_GUINT64_FORMAT, ++questions->last_number),
        .decision = *decision,
        .uid = uid,
        .answered = answered,
        .user = user};
    asked->timer = g_timeout_add_seconds(POLICY_QUESTION_SECONDS, overdue, asked);
    g_queue_push_tail(&questions->pending, asked);
    put_on_bus(asked);
    return TRUE;
}

void policy_questions_withdraw(struct policy_questions *questions, gpointer user)
{
    for (GList *link = questions->pending.head; link; link = link->next) {
        struct asked *asked = link->data;
        if (asked->user != user)
            continue;
        take_off_bus(asked);
        return;
    }
}

void policy_questions_end_all(struct policy_questions *questions)
{
    struct asked *asked;
    while ((asked = g_queue_peek_head(&questions->pending)))
        settle(asked, FALSE, "unanswered");
}

/* ---- life ---- */

struct policy_questions *policy_questions_new(GDBusObjectManagerServer *objects, struct authority *authority,
                                              struct policy_log *log, const char *path)
{
    struct policy_questions *questions = g_new0(struct policy_questions, 1);
    questions->objects = objects;
    questions->authority = authority;
    questions->log = log;
    questions->path = g_strdup(path);
    if (!g_file_get_contents(BOOT_ID, &questions->boot, NULL, NULL))
        questions->boot = g_strdup("");
    g_strstrip(questions->boot);
    read_answers(questions);
    return questions;
}

void policy_questions_free(struct policy_questions *questions)
{
    policy_questions_end_all(questions);
    g_queue_clear_full(&questions->answers, answer_free);
    g_free(questions->path);
    g_free(questions->boot);
    g_free(questions);
}
