/*
 * The switcher. Keyboard: arrows choose a card, Enter does its first action, 1-9 that of a slot, Delete shuts
 * down.
 */
#include "switcher.h"
#include "additions.h"
#include "confirm.h"
#include "errand.h"
#include "guest/guest_view.h"
#include "machine/machine_view.h"
#include "guest_card.h"
#include "guest_look.h"
#include "header.h"
#include "install/install_view.h"
#include "plain_text.h"
#include "question/question_view.h"
#include "said.h"
#include "style.h"
#include "wizard/wizard_view.h"

#define NOTICE_SECONDS  8
#define CARD_SPACING    24
#define PREVIEWS_MAX    3   /* more cards than this need the room for themselves */
#define PREVIEW_SCREEN  700 /* so do the cards of a screen that is lower than this */
#define PICTURE_SECONDS 2
#define WAIT_SECONDS    20 /* so long the service may take before it counts as missing */

struct switcher {
    GtkWidget *window, *stack, *flow, *problems, *notice, *notice_label, *footer;
    struct header *header;
    struct additions *additions;
    struct wizard_view *wizard;
    struct errands *errands;
    struct guest_view *guest;
    struct machine_view *machine;
    struct install_view *install;
    struct confirm *confirm;
    struct question_view *question;
    struct model *model;
    switch_to_fn switch_to;
    gpointer user;
    guint notice_timer;
    struct seat *seat; /* NULL: no pictures */
    guint wait_timer;
    gboolean overdue;
    gboolean visible;     /* the switcher is on screen */
    gboolean key_pressed; /* the chosen card is the user's choice */
    int height;           /* of the window */
};

/* ---- notices ---- */

static gboolean hide_notice(gpointer data)
{
    struct switcher *switcher = data;
    switcher->notice_timer = 0;
    gtk_revealer_set_reveal_child(GTK_REVEALER(switcher->notice), FALSE);
    return G_SOURCE_REMOVE;
}

static void show_notice(const char *sentence, gpointer data)
{
    struct switcher *switcher = data;
    g_autofree char *plain = plain_text(sentence, PLAIN_SENTENCE_MAX);
    gtk_label_set_text(GTK_LABEL(switcher->notice_label), plain);
    gtk_revealer_set_reveal_child(GTK_REVEALER(switcher->notice), TRUE);
    g_clear_handle_id(&switcher->notice_timer, g_source_remove);
    switcher->notice_timer = g_timeout_add_seconds(NOTICE_SECONDS, hide_notice, switcher);
}

/* ---- wishes ---- */

struct wish {
    struct switcher *switcher;
    RhGuest1 *guest;
    enum guest_action action;
};

static void carry_out(gpointer data)
{
    struct wish *wish = data;
    if (wish->action == ACTION_SWITCH)
        wish->switcher->switch_to(rh_guest1_get_screen(wish->guest), wish->switcher->user);
    else
        model_act(wish->switcher->model, wish->guest, wish->action);
}

static void wish_free(gpointer data)
{
    struct wish *wish = data;
    g_object_unref(wish->guest);
    g_free(wish);
}

/* The questions for actions that end a guest's work; %s is its name. */
static const struct {
    const char *title, *text, *yes;
} questions[] = {
    [ACTION_SHUTDOWN] = {"Shut down %s?", "Its programs are closed. What is not saved in them may be lost.",
                         "Shut down"},
    [ACTION_REBOOT] = {"Restart %s?", "Its programs are closed. What is not saved in them may be lost.", "Restart"},
    [ACTION_DESTROY] = {"Force %s off?",
                        "It stops at once, as if its plug were pulled. Everything not saved in it is lost.",
                        "Force off"},
    [ACTION_SWITCH] = {NULL, NULL, NULL},
};

static void on_wish(RhGuest1 *guest, enum guest_action action, gpointer data)
{
    struct switcher *switcher = data;
    struct wish *wish = g_new(struct wish, 1);
    *wish = (struct wish){switcher, g_object_ref(guest), action};
    if (!questions[action].title) {
        carry_out(wish);
        wish_free(wish);
        return;
    }
    g_auto(GStrv) parts = g_strsplit(questions[action].title, "%s", 2);
    g_autofree char *title = g_strconcat(parts[0], rh_guest1_get_name(guest), parts[1], NULL);
    confirm_ask(switcher->confirm, title, questions[action].text, questions[action].yes, carry_out, wish, wish_free);
}

static void wish_primary(struct switcher *switcher, RhGuest1 *guest)
{
    enum guest_action action;
    if (guest && guest_primary_action(guest, &action))
        on_wish(guest, action, switcher);
}

static void power_off(gpointer data)
{
    model_power_off(((struct switcher *)data)->model);
}

static void restart(gpointer data)
{
    model_restart(((struct switcher *)data)->model);
}

void switcher_ask_power_off(struct switcher *switcher)
{
    if (confirm_is_open(switcher->confirm))
        return;
    question_view_leave(switcher->question);
    confirm_ask(switcher->confirm, "Power off this computer?", "Every running guest is shut down first.", "Power off",
                power_off, switcher, NULL);
}

static void power_off_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    switcher_ask_power_off(data);
}

static void restart_clicked(GtkButton *button, gpointer data)
{
    struct switcher *switcher = data;
    (void)button;
    confirm_ask(switcher->confirm, "Restart this computer?", "Every running guest is shut down first.", "Restart",
                restart, switcher, NULL);
}

/* ---- pages over the cards ---- */

static gboolean has_page(struct switcher *switcher)
{
    return wizard_view_is_open(switcher->wizard) || guest_view_is_open(switcher->guest) ||
           machine_view_is_open(switcher->machine) || install_view_is_open(switcher->install);
}

static void show_page(struct switcher *switcher);

static void open_guest(RhGuest1 *guest, gpointer data)
{
    struct switcher *switcher = data;
    guest_view_open(switcher->guest, guest);
    show_page(switcher);
}

/* ---- cards ---- */

static void remove_stale_cards(struct switcher *switcher, GPtrArray *guests)
{
    g_autoptr(GList) cards = gtk_container_get_children(GTK_CONTAINER(switcher->flow));
    for (GList *card = cards; card; card = card->next) {
        if (!g_ptr_array_find(guests, guest_card_guest(card->data), NULL))
            gtk_widget_destroy(card->data);
    }
}

static GtkWidget *find_card(struct switcher *switcher, RhGuest1 *guest)
{
    g_autoptr(GList) cards = gtk_container_get_children(GTK_CONTAINER(switcher->flow));
    for (GList *card = cards; card; card = card->next) {
        if (guest_card_guest(card->data) == guest)
            return card->data;
    }
    return NULL;
}

static gboolean has_previews(struct switcher *switcher)
{
    return switcher->height >= PREVIEW_SCREEN && model_guests(switcher->model)->len <= PREVIEWS_MAX;
}

static void update_cards(struct switcher *switcher)
{
    GPtrArray *guests = model_guests(switcher->model);
    guint focused = model_focused(switcher->model);
    remove_stale_cards(switcher, guests);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        GtkWidget *card = find_card(switcher, guest);
        if (!card) {
            card = guest_card_new(guest, on_wish, open_guest, switcher);
            gtk_flow_box_insert(GTK_FLOW_BOX(switcher->flow), card, (int)i);
        }
        guest_card_update(card, focused && focused == rh_guest1_get_screen(guest));
        guest_card_show_preview(card, has_previews(switcher));
    }
    gtk_flow_box_set_max_children_per_line(GTK_FLOW_BOX(switcher->flow),
                                           guests->len == 4 ? 2 : CLAMP(guests->len, 1, 3));
    /* Guests are opened in any order: until the user chooses, the choice is the first card. */
    gboolean choose = !switcher->key_pressed || !gtk_window_get_focus(GTK_WINDOW(switcher->window));
    if (guests->len && choose && !confirm_is_open(switcher->confirm) && !has_page(switcher))
        gtk_widget_grab_focus(GTK_WIDGET(gtk_flow_box_get_child_at_index(GTK_FLOW_BOX(switcher->flow), 0)));
}

/* ---- pictures: asked for while the switcher is on screen ---- */

static gboolean ask_for_pictures(gpointer data)
{
    struct switcher *switcher = data;
    GPtrArray *guests = model_guests(switcher->model);
    gboolean visible = model_focused(switcher->model) == 0 && has_previews(switcher);
    for (guint i = 0; visible && switcher->seat && i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        if (guest_is_live(guest))
            seat_thumbnail(switcher->seat, rh_guest1_get_screen(guest), PREVIEW_WIDTH, PREVIEW_HEIGHT);
    }
    return G_SOURCE_CONTINUE;
}

void switcher_set_seat(struct switcher *switcher, struct seat *seat)
{
    switcher->seat = seat;
    g_timeout_add_seconds(PICTURE_SECONDS, ask_for_pictures, switcher);
}

void switcher_set_picture(struct switcher *switcher, guint slot, cairo_surface_t *picture)
{
    RhGuest1 *guest = model_guest_in_slot(switcher->model, slot);
    GtkWidget *card = guest ? find_card(switcher, guest) : NULL;
    if (card)
        guest_card_set_picture(card, picture);
    g_clear_pointer(&picture, cairo_surface_destroy);
}

static void update_problems(struct switcher *switcher)
{
    RhManager1 *manager = model_manager(switcher->model);
    const char *const *sentences = manager ? rh_manager1_get_problems(manager) : NULL;
    g_autofree char *text = sentences ? g_strjoinv("\n", (char **)sentences) : g_strdup("");
    gtk_label_set_text(GTK_LABEL(switcher->problems), text);
    gtk_widget_set_visible(switcher->problems, *text != '\0');
}

static void update(gpointer data);

static gboolean wait_is_over(gpointer data)
{
    struct switcher *switcher = data;
    switcher->wait_timer = 0;
    switcher->overdue = TRUE;
    update(switcher);
    return G_SOURCE_REMOVE;
}

/* The page that fits: the guests, or why there are none. */
static const char *fitting_page(struct switcher *switcher)
{
    RhManager1 *manager = model_manager(switcher->model);
    if (wizard_view_is_open(switcher->wizard))
        return "wizard";
    if (guest_view_is_open(switcher->guest))
        return "guest";
    if (machine_view_is_open(switcher->machine))
        return "machine";
    if (install_view_is_open(switcher->install))
        return "install";
    if (manager) {
        g_clear_handle_id(&switcher->wait_timer, g_source_remove);
        switcher->overdue = FALSE;
        return model_guests(switcher->model)->len ? "guests" : "empty";
    }
    if (!switcher->overdue && !switcher->wait_timer)
        switcher->wait_timer = g_timeout_add_seconds(WAIT_SECONDS, wait_is_over, switcher);
    return switcher->overdue ? "overdue" : "waiting";
}

/* While another page is on screen the keys of cards are none. */
static void show_page(struct switcher *switcher)
{
    gboolean page = has_page(switcher);
    additions_update(switcher->additions, switcher->model, !page);
    gtk_widget_set_visible(switcher->footer, !page);
    gtk_stack_set_visible_child_name(GTK_STACK(switcher->stack), fitting_page(switcher));
}

static void update(gpointer data)
{
    struct switcher *switcher = data;
    gboolean was_visible = switcher->visible;
    switcher->visible = model_focused(switcher->model) == 0;
    style_set_colours(switcher->model);
    header_update(switcher->header, switcher->model);
    update_cards(switcher);
    if (switcher->visible && !was_visible)
        ask_for_pictures(switcher);
    update_problems(switcher);
    wizard_view_update(switcher->wizard);
    errands_update(switcher->errands);
    guest_view_update(switcher->guest);
    machine_view_update(switcher->machine);
    show_page(switcher);
    question_view_update(switcher->question, switcher->visible);
}

/* ---- the wizard ---- */

static void add_clicked(gpointer data)
{
    struct switcher *switcher = data;
    wizard_view_open(switcher->wizard);
    show_page(switcher);
}

static void settings_clicked(gpointer data)
{
    struct switcher *switcher = data;
    machine_view_open(switcher->machine);
    show_page(switcher);
}

static void machine_closed(gpointer data)
{
    struct switcher *switcher = data;
    show_page(switcher);
    additions_focus(switcher->additions, TRUE);
}

static void install_closed(gpointer data)
{
    struct switcher *switcher = data;
    show_page(switcher);
    additions_focus(switcher->additions, FALSE);
}

static const struct install_view_calls install_calls = {install_closed, restart};

static void open_install(gpointer data)
{
    struct switcher *switcher = data;
    install_view_open(switcher->install);
    show_page(switcher);
}

static void job_clicked(RhJob1 *job, gpointer data)
{
    struct switcher *switcher = data;
    wizard_view_open_job(switcher->wizard, job);
    show_page(switcher);
}

static void wizard_closed(gpointer data)
{
    struct switcher *switcher = data;
    show_page(switcher);
    additions_focus(switcher->additions, FALSE);
}

static void wizard_switch_to(guint slot, gpointer data)
{
    struct switcher *switcher = data;
    switcher->switch_to(slot, switcher->user);
}

static const struct wizard_view_calls wizard_calls = {wizard_closed, show_notice, wizard_switch_to};

static const struct additions_calls additions_calls = {add_clicked, settings_clicked, NULL, job_clicked},
                                    additions_on_medium = {add_clicked, settings_clicked, open_install, job_clicked};

/* ---- a guest's page ---- */

static void guest_closed(RhGuest1 *guest, gpointer data)
{
    struct switcher *switcher = data;
    show_page(switcher);
    GtkWidget *card = guest ? find_card(switcher, guest) : NULL;
    if (!card)
        card = GTK_WIDGET(gtk_flow_box_get_child_at_index(GTK_FLOW_BOX(switcher->flow), 0));
    if (card)
        gtk_widget_grab_focus(card);
}

static const struct guest_view_calls guest_calls = {guest_closed, show_notice, on_wish};

/* The right button of a mouse; the left one is the flow box's. */
static gboolean on_button(GtkWidget *flow, GdkEventButton *event, gpointer data)
{
    GtkFlowBoxChild *card = gtk_flow_box_get_child_at_pos(GTK_FLOW_BOX(flow), (int)event->x, (int)event->y);
    gboolean wanted = event->type == GDK_BUTTON_PRESS && event->button == GDK_BUTTON_SECONDARY && card;
    if (wanted)
        open_guest(guest_card_guest(GTK_WIDGET(card)), data);
    return wanted;
}

/* ---- keyboard ---- */

static void card_activated(GtkFlowBox *flow, GtkFlowBoxChild *card, gpointer data)
{
    (void)flow;
    wish_primary(data, guest_card_guest(GTK_WIDGET(card)));
}

static RhGuest1 *chosen_guest(struct switcher *switcher)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(switcher->window));
    GtkWidget *card = focus ? gtk_widget_get_ancestor(focus, GTK_TYPE_FLOW_BOX_CHILD) : NULL;
    return card ? guest_card_guest(card) : NULL;
}

static void wish_end(struct switcher *switcher)
{
    RhGuest1 *guest = chosen_guest(switcher);
    if (!guest)
        return;
    if (guest_is(guest, GUEST_RUNNING))
        on_wish(guest, ACTION_SHUTDOWN, switcher);
    else if (guest_is(guest, GUEST_PAUSED) || guest_is(guest, GUEST_STOPPING))
        on_wish(guest, ACTION_DESTROY, switcher);
}

static int card_columns(struct switcher *switcher)
{
    g_autoptr(GList) cards = gtk_container_get_children(GTK_CONTAINER(switcher->flow));
    int columns = 0, first_row = 0;
    for (GList *card = cards; card; card = card->next) {
        GtkAllocation place;
        gtk_widget_get_allocation(card->data, &place);
        if (!columns)
            first_row = place.y;
        columns += place.y == first_row;
    }
    return MAX(columns, 1);
}

/* Arrows go from card to card; from a card's buttons back to cards. FALSE: there is none that way. */
static gboolean move_choice(struct switcher *switcher, guint key)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(switcher->window));
    GtkWidget *card = focus ? gtk_widget_get_ancestor(focus, GTK_TYPE_FLOW_BOX_CHILD) : NULL;
    int index = card ? gtk_flow_box_child_get_index(GTK_FLOW_BOX_CHILD(card)) : -1;
    if (key == GDK_KEY_Left)
        index -= 1;
    else if (key == GDK_KEY_Up)
        index -= card_columns(switcher);
    else if (key == GDK_KEY_Down && index >= 0)
        index += card_columns(switcher);
    else
        index += 1;
    GtkFlowBoxChild *next = index >= 0 ? gtk_flow_box_get_child_at_index(GTK_FLOW_BOX(switcher->flow), index) : NULL;
    if (next)
        gtk_widget_grab_focus(GTK_WIDGET(next));
    return next != NULL;
}

/* As everywhere: the menu key, Shift with F10, and Alt with Enter, which shows properties. */
static gboolean wants_page(guint key, GdkModifierType modifiers)
{
    return key == GDK_KEY_Menu || (key == GDK_KEY_F10 && modifiers == GDK_SHIFT_MASK) ||
           ((key == GDK_KEY_Return || key == GDK_KEY_KP_Enter) && modifiers == GDK_MOD1_MASK);
}

static gboolean card_key(struct switcher *switcher, guint key, GdkModifierType modifiers)
{
    RhGuest1 *guest = chosen_guest(switcher);
    if (guest && wants_page(key, modifiers)) {
        open_guest(guest, switcher);
        return TRUE;
    }
    if (modifiers & ~GDK_SHIFT_MASK)
        return FALSE;
    if (key >= GDK_KEY_KP_1 && key <= GDK_KEY_KP_9)
        key = key - GDK_KEY_KP_1 + GDK_KEY_1;
    if (key >= GDK_KEY_1 && key <= GDK_KEY_9)
        wish_primary(switcher, model_guest_in_slot(switcher->model, key - GDK_KEY_0));
    else if (key == GDK_KEY_Delete || key == GDK_KEY_KP_Delete)
        wish_end(switcher);
    else
        return key >= GDK_KEY_Left && key <= GDK_KEY_Down && move_choice(switcher, key);
    return TRUE;
}

static gboolean on_key(GtkWidget *window, GdkEventKey *event, gpointer data)
{
    struct switcher *switcher = data;
    guint key = event->keyval;
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    gboolean plain = !(modifiers & ~GDK_SHIFT_MASK);
    (void)window;
    switcher->key_pressed = TRUE;
    if (question_view_key(switcher->question, event))
        return TRUE;
    if (confirm_is_open(switcher->confirm)) {
        gboolean no = plain && key == GDK_KEY_Escape;
        if (no)
            confirm_cancel(switcher->confirm);
        return no;
    }
    if (wizard_view_is_open(switcher->wizard))
        return plain && wizard_view_key(switcher->wizard, key);
    if (guest_view_is_open(switcher->guest))
        return guest_view_key(switcher->guest, key, modifiers);
    if (install_view_is_open(switcher->install))
        return install_view_key(switcher->install, event);
    if (machine_view_is_open(switcher->machine))
        return machine_view_key(switcher->machine, key, modifiers);
    return card_key(switcher, key, modifiers);
}

/* What is typed on the installation's pages is made from keys held and let go. */
static gboolean on_key_let_go(GtkWidget *window, GdkEventKey *event, gpointer data)
{
    struct switcher *switcher = data;
    (void)window;
    return install_view_is_open(switcher->install) && install_view_key(switcher->install, event);
}

/* ---- construction ---- */

static GtkWidget *build_flow(struct switcher *switcher)
{
    GtkWidget *scroll = gtk_scrolled_window_new(NULL, NULL);
    GtkWidget *flow = switcher->flow = gtk_flow_box_new();
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    gtk_flow_box_set_selection_mode(GTK_FLOW_BOX(flow), GTK_SELECTION_NONE);
    gtk_flow_box_set_activate_on_single_click(GTK_FLOW_BOX(flow), FALSE);
    gtk_flow_box_set_homogeneous(GTK_FLOW_BOX(flow), TRUE);
    gtk_flow_box_set_column_spacing(GTK_FLOW_BOX(flow), CARD_SPACING);
    gtk_flow_box_set_row_spacing(GTK_FLOW_BOX(flow), CARD_SPACING);
    gtk_widget_set_halign(flow, GTK_ALIGN_CENTER);
    gtk_widget_set_valign(flow, GTK_ALIGN_CENTER);
    atk_object_set_name(gtk_widget_get_accessible(flow), "Guests");
    g_signal_connect(flow, "child-activated", G_CALLBACK(card_activated), switcher);
    g_signal_connect(flow, "button-press-event", G_CALLBACK(on_button), switcher);
    gtk_container_add(GTK_CONTAINER(scroll), flow);
    return scroll;
}

static GtkWidget *build_stack(struct switcher *switcher)
{
    GtkWidget *stack = switcher->stack = gtk_stack_new();
    gtk_stack_add_named(GTK_STACK(stack), said_page("Getting ready \342\200\246", NULL, NULL), "waiting");
    gtk_stack_add_named(
        GTK_STACK(stack),
        said_page("Desktops cannot be started or stopped just now",
             "Those that run go on running; Ctrl + Alt + 1 to 9 still brings them on screen.\n"
             "The service behind them is being started again. If this page stays for minutes, save your\n"
             "work in the desktops that run, and switch this computer off and on again.",
             NULL),
        "overdue");
    gtk_stack_add_named(
        GTK_STACK(stack),
        said_page("No guests yet",
             "A guest is a computer of its own, inside this one: with its own system, disk and network.\n"
             "Make one from an installation disc, or from a disk image that you have.",
             NULL),
        "empty");
    gtk_stack_add_named(GTK_STACK(stack), build_flow(switcher), "guests");
    gtk_stack_add_named(GTK_STACK(stack), wizard_view_widget(switcher->wizard), "wizard");
    gtk_stack_add_named(GTK_STACK(stack), guest_view_widget(switcher->guest), "guest");
    gtk_stack_add_named(GTK_STACK(stack), machine_view_widget(switcher->machine), "machine");
    gtk_stack_add_named(GTK_STACK(stack), install_view_widget(switcher->install), "install");
    gtk_stack_set_homogeneous(GTK_STACK(stack), FALSE);
    return stack;
}

static GtkWidget *build_notice(struct switcher *switcher)
{
    switcher->notice = gtk_revealer_new();
    switcher->notice_label = gtk_label_new(NULL);
    gtk_label_set_line_wrap(GTK_LABEL(switcher->notice_label), TRUE);
    gtk_label_set_max_width_chars(GTK_LABEL(switcher->notice_label), 80);
    style_toggle(switcher->notice_label, "notice", TRUE);
    gtk_container_add(GTK_CONTAINER(switcher->notice), switcher->notice_label);
    gtk_revealer_set_transition_type(GTK_REVEALER(switcher->notice), GTK_REVEALER_TRANSITION_TYPE_CROSSFADE);
    gtk_widget_set_halign(switcher->notice, GTK_ALIGN_CENTER);
    gtk_widget_set_valign(switcher->notice, GTK_ALIGN_END);
    gtk_widget_show_all(switcher->notice);
    return switcher->notice;
}

static GtkWidget *build_content(struct switcher *switcher)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    switcher->header = header_new(G_CALLBACK(restart_clicked), G_CALLBACK(power_off_clicked), switcher);
    switcher->problems = gtk_label_new(NULL);
    gtk_label_set_line_wrap(GTK_LABEL(switcher->problems), TRUE);
    gtk_label_set_xalign(GTK_LABEL(switcher->problems), 0);
    gtk_widget_set_no_show_all(switcher->problems, TRUE);
    style_toggle(switcher->problems, "problems", TRUE);
    gtk_box_pack_start(GTK_BOX(column), header_widget(switcher->header), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), switcher->problems, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), build_stack(switcher), TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(column), switcher->footer = said_keys(), FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(column), additions_widget(switcher->additions), FALSE, FALSE, 0);
    return column;
}

/* Cards cannot be laid out anew while the window is. */
static gboolean height_changed(gpointer data)
{
    update_cards(data);
    return G_SOURCE_REMOVE;
}

static void allocated(GtkWidget *window, GdkRectangle *place, gpointer data)
{
    struct switcher *switcher = data;
    gboolean had = has_previews(switcher);
    (void)window;
    switcher->height = place->height;
    if (had != has_previews(switcher))
        g_idle_add(height_changed, switcher);
}

static gboolean drawn(GtkWidget *window, cairo_t *cr, gpointer data)
{
    struct switcher *switcher = data;
    (void)window;
    (void)cr;
    model_set_shown(switcher->model);
    return FALSE;
}

struct switcher *switcher_new(struct model *model, switch_to_fn switch_to, gpointer user)
{
    struct switcher *switcher = g_new0(struct switcher, 1);
    GtkWidget *overlay = gtk_overlay_new();
    switcher->model = model;
    switcher->switch_to = switch_to;
    switcher->user = user;
    switcher->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    switcher->additions = additions_new(install_view_wanted() ? &additions_on_medium : &additions_calls, switcher);
    switcher->wizard = wizard_view_new(model, &wizard_calls, switcher);
    switcher->errands = errands_new(model, show_notice, switcher);
    switcher->question = question_view_new(model, GTK_OVERLAY(overlay));
    switcher->confirm = confirm_new(GTK_OVERLAY(overlay));
    question_view_attach(switcher->question, GTK_WINDOW(switcher->window), switcher->confirm);
    switcher->guest = guest_view_new(model, switcher->errands, switcher->confirm, &guest_calls, switcher);
    switcher->machine = machine_view_new(model, switcher->errands, switcher->confirm, machine_closed, switcher);
    switcher->install = install_view_new(&install_calls, switcher);
    gtk_window_set_title(GTK_WINDOW(switcher->window), "Roundhouse");
    gtk_window_set_decorated(GTK_WINDOW(switcher->window), FALSE);
    gtk_window_set_default_size(GTK_WINDOW(switcher->window), 1280, 800);
    style_toggle(switcher->window, "switcher", TRUE);
    gtk_container_add(GTK_CONTAINER(overlay), build_content(switcher));
    gtk_overlay_add_overlay(GTK_OVERLAY(overlay), build_notice(switcher));
    gtk_overlay_set_overlay_pass_through(GTK_OVERLAY(overlay), switcher->notice, TRUE);
    gtk_container_add(GTK_CONTAINER(switcher->window), overlay);
    gtk_widget_show_all(overlay);
    g_signal_connect_after(switcher->window, "draw", G_CALLBACK(drawn), switcher);
    g_signal_connect(switcher->window, "size-allocate", G_CALLBACK(allocated), switcher);
    g_signal_connect(switcher->window, "key-press-event", G_CALLBACK(on_key), switcher);
    g_signal_connect(switcher->window, "key-release-event", G_CALLBACK(on_key_let_go), switcher);
    model_set_failed(model, show_notice, switcher);
    model_observe(model, update, switcher);
    if (install_view_wanted())
        open_install(switcher);
    return switcher;
}

GtkWindow *switcher_window(struct switcher *switcher)
{
    return GTK_WINDOW(switcher->window);
}
