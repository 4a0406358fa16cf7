/*
 * roundhouse-ui: the switcher and the bar. Uses roundhoused's D-Bus API and, where it runs on the seat, the
 * seat's Wayland protocol; it holds no power of its own. Under X11 or another compositor it runs as an
 * ordinary window.
 */
#include "bar.h"
#include "model_questions.h"
#include "seat.h"
#include "style.h"
#include "switcher.h"

#include <glib-unix.h>
#include <stdlib.h>

struct program {
    struct model *model;
    struct seat *seat;
    struct switcher *switcher;
    GtkWindow *bar;
    gboolean keep_bar;  /* over every guest, not only after the hotkey */
    gboolean asked_bar; /* it was brought over the guest because a question waits */
    guint asked_in;     /* the slot that was on screen then */
};

/* The seat's way is the shorter one; it knows guests that are on screen or could be. */
static void switch_to(guint slot, gpointer data)
{
    struct program *program = data;
    RhGuest1 *guest = model_guest_in_slot(program->model, slot);
    if (program->seat)
        seat_focus(program->seat, slot);
    else if (!slot)
        model_show_switcher(program->model);
    else if (guest)
        model_act(program->model, guest, ACTION_SWITCH);
}

/* The seat has the bar over guests only and takes it away with each return to the switcher. */
static void focus_changed(guint slot, gpointer data)
{
    struct program *program = data;
    model_set_focused(program->model, slot);
    if (slot && program->keep_bar)
        seat_show_bar(program->seat, TRUE);
}

/* The bar is the seat's to draw, so no guest can hide it or put another in its place. Once for a guest: who takes it
 * away has seen it. */
static void bring_bar(gpointer data)
{
    struct program *program = data;
    guint slot = model_focused(program->model);
    gboolean wanted = slot && model_question_count(program->model);
    if (!program->seat || program->keep_bar)
        return;
    if (wanted && program->asked_in != slot && !seat_bar_is_shown(program->seat)) {
        seat_show_bar(program->seat, TRUE);
        program->asked_bar = TRUE;
    } else if (!wanted && program->asked_bar) {
        seat_show_bar(program->seat, FALSE);
        program->asked_bar = FALSE;
    }
    program->asked_in = wanted ? slot : 0;
}

static void thumbnail(guint slot, cairo_surface_t *picture, gpointer data)
{
    struct program *program = data;
    switcher_set_picture(program->switcher, slot, picture);
}

static void power_button(gpointer data)
{
    struct program *program = data;
    switcher_ask_power_off(program->switcher);
}

static void show_windows(struct program *program)
{
    static const struct seat_callbacks callbacks = {focus_changed, thumbnail, power_button};
    program->seat = seat_new(&callbacks, program);
    if (program->seat) {
        switcher_set_seat(program->switcher, program->seat);
        seat_set_switcher(program->seat, switcher_window(program->switcher));
        seat_set_bar(program->seat, program->bar, BAR_HEIGHT);
    }
    if (program->seat || !program->keep_bar)
        gtk_widget_show(GTK_WIDGET(switcher_window(program->switcher)));
    if (program->seat || program->keep_bar)
        gtk_widget_show(GTK_WIDGET(program->bar));
}

static gboolean stop(gpointer data)
{
    (void)data;
    gtk_main_quit();
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    struct program program = {0};
    gboolean full_screen = FALSE;
    const GOptionEntry entries[] = {
        {"bar", 0, 0, G_OPTION_ARG_NONE, &program.keep_bar,
         "Keep the bar over every guest; where there is no seat, show it instead of the switcher", NULL},
        {"full-screen", 0, 0, G_OPTION_ARG_NONE, &full_screen, "Fill the screen (where there is no seat)", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GError) error = NULL;
    if (!gtk_init_with_args(&argc, &argv, "- the Roundhouse switcher", entries, NULL, &error)) {
        g_printerr("roundhouse-ui: %s.\n", error ? error->message
                                                 : "there is no display. WAYLAND_DISPLAY must name the seat's socket, "
                                                   "or DISPLAY an X server");
        return EXIT_FAILURE;
    }
    style_init();
    program.model = model_new();
    program.switcher = switcher_new(program.model, switch_to, &program);
    program.bar = bar_new(program.model, switch_to, &program);
    g_signal_connect(switcher_window(program.switcher), "destroy", G_CALLBACK(gtk_main_quit), NULL);
    if (full_screen)
        gtk_window_fullscreen(switcher_window(program.switcher));
    show_windows(&program);
    model_observe(program.model, bring_bar, &program);
    g_unix_signal_add(SIGTERM, stop, NULL);
    g_unix_signal_add(SIGINT, stop, NULL);
    gtk_main();
    seat_free(program.seat);
    model_free(program.model);
    return EXIT_SUCCESS;
}
