/* The panel of questions. */
#include "question_view.h"
#include "../page_parts.h"
#include "../plain_text.h"
#include "../style.h"
#include "guard.h"
#include "question_text.h"

#define TEXT_WIDTH 60 /* characters */
#define MARGIN     14 /* pixels to the strip, which is at the lower edge */

/* One who is named in it. */
struct side {
    GtkWidget *row, *chip, *name;
    char *class_name; /* the guest's colour; NULL: it is no guest that is there */
};

struct question_view {
    GtkWidget *panel, *title, *about, *rule, *others, *no, *yes, *hint;
    struct side subject, object;
    GtkWindow *window;
    struct confirm *confirm;
    struct model *model;
    RhQuestion1 *question;   /* the one that is shown; NULL: none */
    GtkWidget *focus_before; /* what had the keyboard; a weak pointer */
    GtkGesture *clicks;
    struct question_guard guard;
    guint timer;
    gboolean on_screen;
    gboolean answered;
};

/* ---- asleep and awake ---- */

static void show_awake(struct question_view *view)
{
    gboolean awake = view->guard.awake && !view->answered;
    gtk_widget_set_sensitive(view->no, awake);
    gtk_widget_set_sensitive(view->yes, awake);
}

static gboolean is_covered(const struct question_view *view)
{
    return !view->on_screen || confirm_is_open(view->confirm);
}

static void look_again(struct question_view *view);

static gboolean wait_is_over(gpointer data)
{
    struct question_view *view = data;
    view->timer = 0;
    look_again(view);
    return G_SOURCE_REMOVE;
}

/* Behind all that was pressed: one turn of the loop may have both, the moment's end and keys from before it. */
static void look_again(struct question_view *view)
{
    if (view->question && is_covered(view))
        question_guard_sleep(&view->guard);
    gint64 left = view->question ? question_guard_wait(&view->guard, g_get_monotonic_time()) : -1;
    if (left > 0 && !view->timer)
        view->timer = g_timeout_add_full(G_PRIORITY_LOW, (guint)(left / 1000 + 1), wait_is_over, view, NULL);
    show_awake(view);
}

static void sleep_again(struct question_view *view)
{
    question_guard_sleep(&view->guard);
    show_awake(view);
    gtk_widget_queue_draw(view->panel);
}

static gboolean drawn(GtkWidget *panel, cairo_t *cr, gpointer data)
{
    struct question_view *view = data;
    (void)panel;
    (void)cr;
    if (view->question && !is_covered(view) && !view->guard.quiet_since) {
        question_guard_drawn(&view->guard, g_get_monotonic_time());
        g_clear_handle_id(&view->timer, g_source_remove);
        look_again(view);
    }
    return FALSE;
}

/* ---- the keyboard ---- */

static gboolean has_keyboard(struct question_view *view)
{
    GtkWidget *focus = gtk_window_get_focus(view->window);
    return focus && gtk_widget_is_ancestor(focus, view->panel);
}

/* The Tab key does not come here by itself. */
static void set_reachable(struct question_view *view, gboolean reachable)
{
    gtk_widget_set_can_focus(view->no, reachable);
    gtk_widget_set_can_focus(view->yes, reachable);
}

static void remember_focus(struct question_view *view, GtkWidget *focus)
{
    if (view->focus_before)
        g_object_remove_weak_pointer(G_OBJECT(view->focus_before), (gpointer *)&view->focus_before);
    view->focus_before = focus;
    if (focus)
        g_object_add_weak_pointer(G_OBJECT(focus), (gpointer *)&view->focus_before);
}

static void enter(struct question_view *view)
{
    remember_focus(view, gtk_window_get_focus(view->window));
    set_reachable(view, TRUE);
    gtk_widget_grab_focus(view->no);
}

void question_view_leave(struct question_view *view)
{
    GtkWidget *focus = view->focus_before;
    if (has_keyboard(view)) {
        question_guard_ended(&view->guard, g_get_monotonic_time());
        set_reachable(view, FALSE);
        gtk_window_set_focus(view->window, NULL);
        if (focus)
            gtk_widget_grab_focus(focus);
    }
    remember_focus(view, NULL);
}

static void answer(struct question_view *view, gboolean agreed)
{
    if (!view->guard.awake || view->answered)
        return;
    view->answered = TRUE;
    question_view_leave(view);
    model_answer(view->model, view->question, agreed);
    show_awake(view);
}

static void said_no(GtkButton *button, gpointer data)
{
    (void)button;
    answer(data, FALSE);
}

static void said_yes(GtkButton *button, gpointer data)
{
    (void)button;
    answer(data, TRUE);
}

static void inside_key(struct question_view *view, guint key)
{
    gboolean on_yes = gtk_widget_has_focus(view->yes);
    if (key == GDK_KEY_Return || key == GDK_KEY_KP_Enter || key == GDK_KEY_space || key == GDK_KEY_KP_Space)
        answer(view, on_yes);
    else if (key == GDK_KEY_Escape)
        answer(view, FALSE);
    else if (key == GDK_KEY_F6)
        question_view_leave(view);
    else if (key == GDK_KEY_Tab || key == GDK_KEY_ISO_Left_Tab || (key >= GDK_KEY_Left && key <= GDK_KEY_Down))
        gtk_widget_grab_focus(on_yes ? view->no : view->yes);
}

gboolean question_view_key(struct question_view *view, const GdkEventKey *event)
{
    gint64 now = g_get_monotonic_time();
    enum question_key meaning = question_guard_press(&view->guard, event->hardware_keycode, now);
    gboolean plain = !(event->state & gtk_accelerator_get_default_mod_mask() & ~(guint)GDK_SHIFT_MASK);
    if (meaning == QUESTION_KEY_NOBODYS)
        return TRUE;
    if (is_covered(view))
        sleep_again(view);
    else if (has_keyboard(view)) {
        if (meaning == QUESTION_KEY_COUNTS && plain)
            inside_key(view, event->keyval);
        return plain;
    }
    set_reachable(view, FALSE);
    if (!view->guard.awake || view->answered || meaning != QUESTION_KEY_COUNTS || !plain || event->keyval != GDK_KEY_F6)
        return FALSE;
    enter(view);
    return TRUE;
}

static gboolean key_released(GtkWidget *window, GdkEventKey *event, gpointer data)
{
    struct question_view *view = data;
    (void)window;
    question_guard_release(&view->guard, event->hardware_keycode);
    return FALSE;
}

static gboolean keyboard_gone(GtkWidget *window, GdkEventFocus *event, gpointer data)
{
    struct question_view *view = data;
    (void)window;
    (void)event;
    question_guard_release_all(&view->guard);
    sleep_again(view);
    return FALSE;
}

/* Before what is under the pointer has it. What covers the question may go by this click, and the next one meet it. */
static void clicked(GtkGestureMultiPress *gesture, int count, double x, double y, gpointer data)
{
    struct question_view *view = data;
    (void)gesture;
    (void)count;
    (void)x;
    (void)y;
    question_guard_click(&view->guard, g_get_monotonic_time());
    if (view->question && is_covered(view))
        sleep_again(view);
}

/* ---- what is asked ---- */

static RhGuest1 *find_guest(struct question_view *view, const char *party)
{
    g_autofree char *name = question_guest(party);
    GPtrArray *guests = model_guests(view->model);
    for (guint i = 0; name && i < guests->len; i++) {
        if (g_strcmp0(rh_guest1_get_name(g_ptr_array_index(guests, i)), name) == 0)
            return g_ptr_array_index(guests, i);
    }
    return NULL;
}

static void fill_side(struct question_view *view, struct side *side, const char *party)
{
    RhGuest1 *guest = find_guest(view, party);
    guint slot = guest ? rh_guest1_get_slot(guest) : 0;
    g_autofree char *name = question_party(party), *number = slot ? g_strdup_printf("%u", slot) : g_strdup("");
    if (side->class_name)
        style_toggle(side->chip, side->class_name, FALSE);
    g_free(side->class_name);
    side->class_name = guest ? style_guest_class(guest) : NULL;
    if (side->class_name)
        style_toggle(side->chip, side->class_name, TRUE);
    gtk_widget_set_visible(side->chip, guest != NULL);
    gtk_label_set_text(GTK_LABEL(side->chip), number);
    gtk_label_set_text(GTK_LABEL(side->name), name);
}

static void fill_text(struct question_view *view)
{
    RhQuestion1 *question = view->question;
    const char *verb = rh_question1_get_verb(question), *about = question_about(verb);
    g_autofree char *title =
        question_title(rh_question1_get_subject(question), verb, rh_question1_get_object(question));
    g_autofree char *plain_rule = plain_text(rh_question1_get_rule(question), PLAIN_SENTENCE_MAX);
    gboolean says_more = about && !g_str_has_prefix(about, verb);
    g_autofree char *what = says_more ? g_strdup_printf("To %s is to: %s.", verb, about) : g_strdup("");
    g_autofree char *rule = g_strdup_printf("It is asked by the rule %s", plain_rule);
    g_autofree char *hint = g_strdup_printf("F6 brings the keyboard here. Without an answer in %u seconds it is no.",
                                            rh_question1_get_seconds(question));
    g_autofree char *spoken = g_strdup_printf("%s %s. %s", what, rule, hint);
    gtk_label_set_text(GTK_LABEL(view->title), title);
    gtk_label_set_text(GTK_LABEL(view->about), what);
    gtk_widget_set_visible(view->about, says_more);
    gtk_label_set_text(GTK_LABEL(view->rule), rule);
    gtk_label_set_text(GTK_LABEL(view->hint), hint);
    gtk_button_set_label(GTK_BUTTON(view->yes), question_yes(rh_question1_get_remember(question)));
    page_speak(view->panel, title, spoken);
}

static void fill(struct question_view *view)
{
    guint more = model_question_count(view->model) - 1;
    g_autofree char *others = g_strdup_printf("%u more question%s after this", more, more == 1 ? "" : "s");
    fill_side(view, &view->subject, rh_question1_get_subject(view->question));
    fill_side(view, &view->object, rh_question1_get_object(view->question));
    gtk_widget_set_visible(view->object.row, question_has_object(rh_question1_get_verb(view->question)));
    gtk_label_set_text(GTK_LABEL(view->others), more ? others : "");
    gtk_widget_set_visible(view->others, more > 0);
}

static void change_question(struct question_view *view, RhQuestion1 *question)
{
    question_view_leave(view);
    g_set_object(&view->question, question);
    view->answered = FALSE;
    sleep_again(view);
    if (question)
        fill_text(view);
    gtk_widget_set_visible(view->panel, question != NULL);
}

void question_view_update(struct question_view *view, gboolean on_screen)
{
    RhQuestion1 *front = model_question(view->model);
    gboolean other_place = on_screen != view->on_screen;
    view->on_screen = on_screen;
    if (front != view->question)
        change_question(view, front);
    if (view->question)
        fill(view);
    if (other_place) {
        question_view_leave(view);
        sleep_again(view);
    }
}

/* ---- construction ---- */

static GtkWidget *build_side(struct side *side)
{
    side->row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    side->chip = style_label("chip", 0.5f);
    side->name = style_label("name", 0);
    gtk_label_set_ellipsize(GTK_LABEL(side->name), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_max_width_chars(GTK_LABEL(side->name), 22);
    gtk_box_pack_start(GTK_BOX(side->row), side->chip, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(side->row), side->name, FALSE, FALSE, 0);
    return side->row;
}

static GtkWidget *text_label(GtkWidget *column, const char *class_name)
{
    GtkWidget *label = style_label(class_name, 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(label), TEXT_WIDTH);
    gtk_box_pack_start(GTK_BOX(column), label, FALSE, FALSE, 0);
    return label;
}

static GtkWidget *build_buttons(struct question_view *view)
{
    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    view->no = page_button("No", "secondary", "Does not allow it", G_CALLBACK(said_no), view);
    view->yes = page_button("Yes", "danger", "Allows it", G_CALLBACK(said_yes), view);
    view->others = style_label("quiet", 0);
    gtk_button_set_use_underline(GTK_BUTTON(view->yes), FALSE);
    gtk_widget_set_focus_on_click(view->no, FALSE);
    gtk_widget_set_focus_on_click(view->yes, FALSE);
    gtk_box_pack_start(GTK_BOX(buttons), view->others, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(buttons), view->yes, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(buttons), view->no, FALSE, FALSE, 0);
    return buttons;
}

static void build_panel(struct question_view *view)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 10), *sides = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 28);
    view->panel = gtk_event_box_new(); /* so that no click on it comes to what is below */
    gtk_box_pack_start(GTK_BOX(sides), build_side(&view->subject), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(sides), build_side(&view->object), FALSE, FALSE, 0);
    view->title = text_label(column, "panel-title");
    gtk_box_pack_start(GTK_BOX(column), sides, FALSE, FALSE, 0);
    view->about = text_label(column, "panel-text");
    view->rule = text_label(column, "quiet");
    view->hint = text_label(column, "quiet");
    gtk_box_pack_start(GTK_BOX(column), build_buttons(view), FALSE, FALSE, 0);
    style_toggle(column, "panel", TRUE);
    gtk_container_add(GTK_CONTAINER(view->panel), column);
    gtk_widget_set_halign(view->panel, GTK_ALIGN_CENTER);
    gtk_widget_set_valign(view->panel, GTK_ALIGN_END);
    gtk_widget_set_margin_bottom(view->panel, MARGIN);
    gtk_widget_show_all(column);
    gtk_widget_set_no_show_all(view->panel, TRUE);
    atk_object_set_role(gtk_widget_get_accessible(view->panel), ATK_ROLE_ALERT);
}

struct question_view *question_view_new(struct model *model, GtkOverlay *overlay)
{
    struct question_view *view = g_new0(struct question_view, 1);
    view->model = model;
    build_panel(view);
    set_reachable(view, FALSE);
    gtk_overlay_add_overlay(overlay, view->panel);
    g_signal_connect_after(view->panel, "draw", G_CALLBACK(drawn), view);
    return view;
}

void question_view_attach(struct question_view *view, GtkWindow *window, struct confirm *confirm)
{
    view->window = window;
    view->confirm = confirm;
    view->clicks = gtk_gesture_multi_press_new(GTK_WIDGET(window));
    gtk_gesture_single_set_button(GTK_GESTURE_SINGLE(view->clicks), 0);
    gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(view->clicks), GTK_PHASE_CAPTURE);
    g_signal_connect(view->clicks, "pressed", G_CALLBACK(clicked), view);
    g_signal_connect(window, "key-release-event", G_CALLBACK(key_released), view);
    g_signal_connect(window, "focus-out-event", G_CALLBACK(keyboard_gone), view);
}
