/* What the policy lets a guest do, what it lets others do to it, and by which rule. */
#include "guest_view_private.h"
#include "../question/question_text.h"
#include "../style.h"

enum whom { ALONE, THE_GUEST, EACH_OTHER };

/* Of the policy's verbs those that somebody asks the policy about; the seat's own and sound's are not among them. */
static const struct {
    const char *subject; /* NULL: the guest */
    const char *verb;
    enum whom object;
} asked[] = {
    {NULL, "use screen", ALONE},
    {NULL, "use microphone", ALONE},
    {NULL, "read discs", ALONE},
    {NULL, "connect to", EACH_OTHER},
    {NULL, "share memory with", EACH_OTHER},
    {"person", "start", THE_GUEST},
    {"laptop", "start unattended", THE_GUEST},
    {"person", "stop", THE_GUEST},
    {"person", "change settings of", THE_GUEST},
    {"person", "snapshot", THE_GUEST},
    {"person", "revert", THE_GUEST},
    {"person", "export", THE_GUEST},
    {"person", "delete", THE_GUEST},
};

/* ---- asking ---- */

/* Answers come in any order; they are told when all are there, in the order of the questions. */
struct round {
    struct guest_view *view;
    GPtrArray *sentences, *rules; /* char *; NULL: not there yet, or it failed */
    GCancellable *cancellable;
    guint open;
    gboolean no_policy;
};

struct answer {
    struct round *round;
    char *subject, *object;
    const char *verb;
    guint place;
};

static void end_round(struct round *round)
{
    g_auto(GStrv) told = NULL;
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();
    for (guint i = 0; !round->no_policy && i < round->sentences->len; i++) {
        if (!g_ptr_array_index(round->sentences, i))
            continue;
        g_strv_builder_add(all, g_ptr_array_index(round->sentences, i));
        g_strv_builder_add(all, g_ptr_array_index(round->rules, i));
    }
    told = g_strv_builder_end(all);
    if (!g_cancellable_is_cancelled(round->cancellable))
        section_may_told(round->view, g_steal_pointer(&told));
    g_ptr_array_unref(round->sentences);
    g_ptr_array_unref(round->rules);
    g_object_unref(round->cancellable);
    g_free(round);
}

static void answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct answer *answer = data;
    struct round *round = answer->round;
    g_autoptr(GVariant) told = NULL;
    const char *effect = "", *rule = "";
    if (rh_manager1_call_policy_explain_finish(RH_MANAGER1(source), &told, result, NULL)) {
        g_variant_lookup(told, "effect", "&s", &effect);
        g_variant_lookup(told, "rule", "&s", &rule);
        round->no_policy |= !*rule;
        g_ptr_array_index(round->sentences, answer->place) =
            question_may(answer->subject, answer->verb, answer->object, effect);
        g_ptr_array_index(round->rules, answer->place) = plain_text(rule, PLAIN_SENTENCE_MAX);
    }
    g_free(answer->subject);
    g_free(answer->object);
    g_free(answer);
    if (!--round->open)
        end_round(round);
}

static void ask(struct round *round, RhManager1 *manager, guint row, const char *object)
{
    const char *name = rh_guest1_get_name(round->view->guest), *subject = asked[row].subject;
    struct answer *answer = g_new(struct answer, 1);
    g_autofree char *guest = g_strdup_printf("guest %s", name);
    g_autofree char *other = *object ? g_strdup_printf("guest %s", object) : g_strdup("");
    *answer = (struct answer){.round = round,
                              .subject = subject ? question_party(subject) : plain_text(name, PLAIN_LINE_MAX),
                              .object = plain_text(object, PLAIN_LINE_MAX),
                              .verb = asked[row].verb,
                              .place = round->sentences->len};
    g_ptr_array_add(round->sentences, NULL);
    g_ptr_array_add(round->rules, NULL);
    round->open++;
    rh_manager1_call_policy_explain(manager, subject ? subject : guest, asked[row].verb, other, round->cancellable,
                                    answered, answer);
}

static void ask_of_each(struct round *round, RhManager1 *manager, guint row)
{
    GPtrArray *guests = model_guests(round->view->model);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *other = g_ptr_array_index(guests, i);
        if (other != round->view->guest)
            ask(round, manager, row, rh_guest1_get_name(other));
    }
}

void section_may_ask(struct guest_view *view)
{
    RhManager1 *manager = model_manager(view->model);
    struct round *round = g_new0(struct round, 1);
    round->view = view;
    round->sentences = g_ptr_array_new_with_free_func(g_free);
    round->rules = g_ptr_array_new_with_free_func(g_free);
    round->cancellable = g_object_ref(view->cancellable);
    for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
        if (asked[i].object == EACH_OTHER)
            ask_of_each(round, manager, i);
        else
            ask(round, manager, i, asked[i].object == THE_GUEST ? rh_guest1_get_name(view->guest) : "");
    }
}

/* ---- showing ---- */

static GtkWidget *line(const char *sentence, const char *rule)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2), *said = page_line(sentence);
    style_toggle(said, "quiet", FALSE);
    gtk_box_pack_start(GTK_BOX(row), said, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), page_line(rule), FALSE, FALSE, 0);
    return row;
}

GtkWidget *section_may_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct guest_view *view = data;
    (void)buttons;
    if (!view->may && view->guest && model_manager(view->model))
        section_may_ask(view);
    if (!view->may || !*view->may) {
        gtk_box_pack_start(box,
                           page_line(view->may ? "No policy is in force: nothing is allowed or denied by a rule."
                                               : "Looking at it \342\200\246"),
                           FALSE, FALSE, 0);
        return NULL;
    }
    gtk_box_pack_start(box, page_line("As things stand now. Below each is the rule that decides."), FALSE, FALSE, 0);
    for (char **at = view->may; *at; at += 2)
        gtk_box_pack_start(box, line(at[0], at[1]), FALSE, FALSE, 0);
    return NULL;
}
