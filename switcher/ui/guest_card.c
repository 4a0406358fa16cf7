/* The card of one guest. */
#include "guest_card.h"
#include "guest_look.h"
#include "plain_text.h"
#include "style.h"

#include <string.h>

#define CARD_WIDTH   PREVIEW_WIDTH
#define STRIP_HEIGHT 6
#define ERROR_LINES  4
#define BUTTONS_MAX  GUEST_LOOK_CARD

struct card {
    RhGuest1 *guest;
    guest_card_wish_fn wish;
    guest_card_more_fn more;
    gpointer user;
    cairo_surface_t *picture; /* NULL: none */
    char *told;               /* all that the card says, to know whether anything of it is new */
    GtkWidget *strip, *preview, *chip, *name, *dot, *state, *facts, *chord, *error, *more_button;
    GtkWidget *buttons[BUTTONS_MAX];
    enum guest_action actions[BUTTONS_MAX];
};

static struct card *card_of(GtkWidget *widget)
{
    return g_object_get_data(G_OBJECT(widget), "card");
}

RhGuest1 *guest_card_guest(GtkWidget *widget)
{
    return card_of(widget)->guest;
}

/* ---- construction ---- */

static void more_clicked(GtkButton *button, gpointer data)
{
    struct card *card = data;
    (void)button;
    card->more(card->guest, card->user);
}

static GtkWidget *title_row(struct card *card)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 14);
    GtkWidget *state_row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 7);
    GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
    card->chip = style_label("chip", 0.5f);
    card->name = style_label("name", 0);
    gtk_label_set_ellipsize(GTK_LABEL(card->name), PANGO_ELLIPSIZE_END);
    card->dot = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    style_toggle(card->dot, "dot", TRUE);
    gtk_widget_set_valign(card->dot, GTK_ALIGN_CENTER);
    card->state = style_label("state", 0);
    gtk_box_pack_start(GTK_BOX(state_row), card->dot, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(state_row), card->state, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), card->name, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), state_row, FALSE, FALSE, 0);
    gtk_widget_set_valign(card->chip, GTK_ALIGN_CENTER);
    gtk_box_pack_start(GTK_BOX(row), card->chip, FALSE, FALSE, 0);
    card->more_button = gtk_button_new_with_label("\342\213\257");
    style_toggle(card->more_button, "more", TRUE);
    gtk_widget_set_valign(card->more_button, GTK_ALIGN_CENTER);
    atk_object_set_description(gtk_widget_get_accessible(card->more_button), "Its settings, disks and undo points");
    g_signal_connect(card->more_button, "clicked", G_CALLBACK(more_clicked), card);
    gtk_box_pack_start(GTK_BOX(row), words, TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(row), card->more_button, FALSE, FALSE, 0);
    return row;
}

static GtkWidget *facts_row(struct card *card)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    card->facts = style_label("facts", 0);
    card->chord = style_label("keycap", 1);
    gtk_box_pack_start(GTK_BOX(row), card->facts, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(row), card->chord, FALSE, FALSE, 0);
    return row;
}

/* Without a picture: the guest's initial, large and faint, on its own colour made dark. */
static void draw_placeholder(struct card *card, cairo_t *cr, double width, double height)
{
    GdkRGBA colour = {0.3, 0.3, 0.3, 1};
    char initial[8] = "";
    PangoRectangle ink;
    gboolean live = guest_is_live(card->guest);
    const char *name = rh_guest1_get_name(card->guest);
    gdk_rgba_parse(&colour, rh_guest1_get_colour(card->guest));
    cairo_pattern_t *ground = cairo_pattern_create_linear(0, 0, width * 0.4, height);
    double strength = live ? 0.36 : 0.17;
    cairo_pattern_add_color_stop_rgb(ground, 0, colour.red * strength, colour.green * strength, colour.blue * strength);
    cairo_pattern_add_color_stop_rgb(ground, 1, 0.05, 0.06, 0.075);
    cairo_set_source(cr, ground);
    cairo_paint(cr);
    cairo_pattern_destroy(ground);
    g_unichar_to_utf8(g_unichar_toupper(g_utf8_get_char(name ? name : "")), initial);
    g_autoptr(PangoLayout) layout = gtk_widget_create_pango_layout(card->preview, initial);
    PangoFontDescription *font =
        pango_font_description_copy(pango_context_get_font_description(pango_layout_get_context(layout)));
    pango_font_description_set_absolute_size(font, height * 0.55 * PANGO_SCALE);
    pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_get_pixel_extents(layout, &ink, NULL);
    cairo_move_to(cr, (width - ink.width) / 2 - ink.x, (height - ink.height) / 2 - ink.y);
    cairo_set_source_rgba(cr, colour.red, colour.green, colour.blue, live ? 0.45 : 0.22);
    pango_cairo_show_layout(cr, layout);
}

static gboolean draw_preview(GtkWidget *widget, cairo_t *cr, gpointer data)
{
    struct card *card = data;
    double width = gtk_widget_get_allocated_width(widget), height = gtk_widget_get_allocated_height(widget);
    if (!card->picture) {
        draw_placeholder(card, cr, width, height);
        return TRUE;
    }
    double picture_width = cairo_image_surface_get_width(card->picture);
    double picture_height = cairo_image_surface_get_height(card->picture);
    cairo_scale(cr, width / picture_width, height / picture_height);
    cairo_set_source_surface(cr, card->picture, 0, 0);
    cairo_paint_with_alpha(cr, guest_is(card->guest, GUEST_RUNNING) ? 1 : 0.45);
    return TRUE;
}

static void clicked(GtkButton *button, gpointer data)
{
    struct card *card = data;
    for (gsize i = 0; i < BUTTONS_MAX; i++) {
        if (card->buttons[i] == GTK_WIDGET(button))
            card->wish(card->guest, card->actions[i], card->user);
    }
}

static GtkWidget *button_row(struct card *card)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    for (gsize i = 0; i < BUTTONS_MAX; i++) {
        GtkWidget *button = card->buttons[i] = gtk_button_new();
        style_toggle(button, i == 0 ? "primary" : "secondary", TRUE);
        gtk_widget_set_no_show_all(button, TRUE);
        g_signal_connect(button, "clicked", G_CALLBACK(clicked), card);
        gtk_box_pack_start(GTK_BOX(row), button, i == 0, i == 0, 0);
    }
    return row;
}

static void card_free(gpointer data)
{
    struct card *card = data;
    g_clear_pointer(&card->picture, cairo_surface_destroy);
    g_object_unref(card->guest);
    g_free(card->told);
    g_free(card);
}

GtkWidget *guest_card_new(RhGuest1 *guest, guest_card_wish_fn wish, guest_card_more_fn more, gpointer user)
{
    struct card *card = g_new0(struct card, 1);
    GtkWidget *child = gtk_flow_box_child_new();
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    GtkWidget *body = gtk_box_new(GTK_ORIENTATION_VERTICAL, 14);
    card->guest = g_object_ref(guest);
    card->wish = wish;
    card->more = more;
    card->user = user;
    card->strip = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    card->preview = gtk_drawing_area_new();
    gtk_widget_set_size_request(card->preview, PREVIEW_WIDTH, PREVIEW_HEIGHT);
    gtk_widget_set_no_show_all(card->preview, TRUE);
    g_signal_connect(card->preview, "draw", G_CALLBACK(draw_preview), card);
    card->error = style_label("error", 0);
    gtk_label_set_line_wrap(GTK_LABEL(card->error), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(card->error), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_lines(GTK_LABEL(card->error), ERROR_LINES); /* its page has all of it */
    gtk_label_set_ellipsize(GTK_LABEL(card->error), PANGO_ELLIPSIZE_END);
    gtk_label_set_max_width_chars(GTK_LABEL(card->error), 36);
    gtk_widget_set_no_show_all(card->error, TRUE);
    style_toggle(card->strip, "strip", TRUE);
    style_toggle(body, "card-body", TRUE);
    style_toggle(child, "card", TRUE);
    gtk_widget_set_size_request(card->strip, CARD_WIDTH, STRIP_HEIGHT);
    gtk_box_pack_start(GTK_BOX(body), title_row(card), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(body), facts_row(card), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(body), card->error, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(body), button_row(card), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), card->strip, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), card->preview, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), body, TRUE, TRUE, 0);
    gtk_container_add(GTK_CONTAINER(child), column);
    g_object_set_data_full(G_OBJECT(child), "card", card, card_free);
    gtk_widget_show_all(child);
    guest_card_update(child, FALSE);
    return child;
}

/* ---- update ---- */

static void update_buttons(struct card *card, const struct guest_look *look)
{
    for (gsize i = 0; i < BUTTONS_MAX; i++) {
        const char *label = look->buttons[i].label;
        card->actions[i] = look->buttons[i].action;
        gtk_widget_set_visible(card->buttons[i], label != NULL);
        if (!label)
            continue;
        g_autofree char *spoken = g_strdup_printf("%s: %s", label, rh_guest1_get_name(card->guest));
        gtk_button_set_label(GTK_BUTTON(card->buttons[i]), label);
        style_toggle(card->buttons[i], "danger", look->buttons[i].action == ACTION_DESTROY);
        atk_object_set_name(gtk_widget_get_accessible(card->buttons[i]), spoken);
    }
}

static void update_facts(struct card *card)
{
    guint vcpus = rh_guest1_get_vcpus(card->guest), slot = guest_digit(card->guest);
    g_autofree char *memory = guest_memory_words(card->guest);
    g_autofree char *facts =
        g_strdup_printf("%s memory  \302\267  %u processor%s", memory, vcpus, vcpus == 1 ? "" : "s");
    g_autofree char *chord = slot ? g_strdup_printf("Ctrl + Alt + %u", slot) : g_strdup("");
    g_autofree char *number = slot ? g_strdup_printf("%u", slot) : g_strdup("\302\267");
    gtk_label_set_text(GTK_LABEL(card->facts), facts);
    gtk_label_set_text(GTK_LABEL(card->chord), chord);
    gtk_widget_set_visible(card->chord, slot != 0);
    gtk_label_set_text(GTK_LABEL(card->chip), number);
}

static void update_colour(struct card *card)
{
    g_autofree char *class_name = style_guest_class(card->guest);
    style_toggle(card->strip, class_name, TRUE);
    style_toggle(card->chip, class_name, TRUE);
}

/* Whether the card has something new to say. Saying it again would lay the window out and draw it for nothing. */
static gboolean take_news(struct card *card, gboolean on_screen)
{
    RhGuest1 *guest = card->guest;
    char *now = g_strdup_printf("%s\n%s\n%s\n%s\n%u %u %" G_GUINT64_FORMAT " %d", rh_guest1_get_state(guest),
                                rh_guest1_get_error(guest), rh_guest1_get_name(guest), rh_guest1_get_colour(guest),
                                guest_digit(guest), rh_guest1_get_vcpus(guest), rh_guest1_get_memory(guest), on_screen);
    gboolean news = g_strcmp0(now, card->told) != 0;
    g_free(card->told);
    card->told = now;
    return news;
}

void guest_card_update(GtkWidget *widget, gboolean on_screen)
{
    struct card *card = card_of(widget);
    if (!take_news(card, on_screen))
        return;
    const struct guest_look *look = guest_look(card->guest);
    g_autofree char *error = plain_text(rh_guest1_get_error(card->guest), PLAIN_SENTENCE_MAX);
    g_autofree char *name = plain_text(rh_guest1_get_name(card->guest), PLAIN_LINE_MAX);
    g_autofree char *more = g_strdup_printf("More of %s", name);
    g_autofree char *place =
        guest_digit(card->guest) ? g_strdup_printf(", slot %u", guest_digit(card->guest)) : g_strdup("");
    g_autofree char *spoken = g_strdup_printf("%s%s, %s%s%s", name, place, look->words, *error ? ". " : "", error);
    for (enum guest_state state = 0; state < GUEST_STATE_COUNT; state++)
        style_toggle(widget, guest_state_name(state), state == look->state);
    style_toggle(widget, "has-screen", on_screen);
    gtk_label_set_text(GTK_LABEL(card->name), name);
    gtk_label_set_text(GTK_LABEL(card->state), look->words);
    gtk_label_set_text(GTK_LABEL(card->error), error);
    gtk_widget_set_visible(card->error, *error);
    atk_object_set_name(gtk_widget_get_accessible(card->more_button), more);
    update_facts(card);
    update_colour(card);
    update_buttons(card, look);
    if (!guest_is_live(card->guest))
        guest_card_set_picture(widget, NULL);
    gtk_widget_queue_draw(card->preview);
    atk_object_set_name(gtk_widget_get_accessible(widget), spoken);
}

void guest_card_show_preview(GtkWidget *widget, gboolean show)
{
    gtk_widget_set_visible(card_of(widget)->preview, show);
}

void guest_card_set_picture(GtkWidget *widget, cairo_surface_t *picture)
{
    struct card *card = card_of(widget);
    if (!picture && !card->picture)
        return;
    g_clear_pointer(&card->picture, cairo_surface_destroy);
    card->picture = picture ? cairo_surface_reference(picture) : NULL;
    gtk_widget_queue_draw(card->preview);
}
