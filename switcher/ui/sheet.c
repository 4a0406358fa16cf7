/* The frame around sections. */
#include "sheet.h"
#include "page_parts.h"
#include "plain_text.h"
#include "style.h"

#define COLUMN_WIDTH 640
#define NOWHERE      G_MAXUINT /* the keyboard is not in the section */

/* Which control it is in, and where in that one's text. */
struct place {
    guint index;
    int position;
};

struct sheet {
    const struct sheet_section *sections;
    guint count, current;
    void (*closed)(gpointer user);
    gpointer user;
    char *class_name; /* of the chip's colour */
    GtkWidget *column, *chip, *title, *state, *row, *scroll, *holder, *box, *said, *buttons_holder, *buttons;
    GtkWidget **tabs;
    struct place lost;   /* where it was before there was no control; NOWHERE: nothing is lost */
    GtkWidget *revealed; /* what is to be scrolled to; NULL: nothing */
    guint reveal_idle;
};

/* ---- where the keyboard is ---- */

static void collect(GtkWidget *widget, gpointer data)
{
    if (!gtk_widget_get_visible(widget))
        return;
    if (gtk_widget_get_can_focus(widget) && (GTK_IS_BUTTON(widget) || GTK_IS_ENTRY(widget) || GTK_IS_SCALE(widget)))
        g_ptr_array_add(data, widget);
    else if (GTK_IS_CONTAINER(widget))
        gtk_container_forall(GTK_CONTAINER(widget), collect, data);
}

static GPtrArray *controls(struct sheet *sheet)
{
    GPtrArray *all = g_ptr_array_new();
    if (sheet->box)
        collect(sheet->box, all);
    if (sheet->buttons)
        collect(sheet->buttons, all);
    return all;
}

static struct place focus_place(struct sheet *sheet)
{
    struct place place = {NOWHERE, 0};
    g_autoptr(GPtrArray) all = controls(sheet);
    GtkWidget *window = gtk_widget_get_toplevel(sheet->column);
    GtkWidget *focus = GTK_IS_WINDOW(window) ? gtk_window_get_focus(GTK_WINDOW(window)) : NULL;
    if (focus == sheet->tabs[sheet->current])
        return sheet->lost;
    if (!focus || !g_ptr_array_find(all, focus, &place.index))
        place.index = NOWHERE;
    else if (GTK_IS_ENTRY(focus))
        place.position = gtk_editable_get_position(GTK_EDITABLE(focus));
    return place;
}

/* The same, or the one before it that can have it; the section's own button is for when there is none just now. */
static void focus_again(struct sheet *sheet, struct place place)
{
    g_autoptr(GPtrArray) all = controls(sheet);
    guint i = MIN(place.index + 1, all->len);
    while (i > 0 && !gtk_widget_is_sensitive(g_ptr_array_index(all, i - 1)))
        i--;
    GtkWidget *control = i ? g_ptr_array_index(all, i - 1) : sheet->tabs[sheet->current];
    sheet->lost = i ? (struct place){NOWHERE, 0} : place;
    if (GTK_IS_ENTRY(control)) {
        gtk_entry_grab_focus_without_selecting(GTK_ENTRY(control));
        gtk_editable_set_position(GTK_EDITABLE(control), place.position);
    } else
        gtk_widget_grab_focus(control);
}

/* ---- sections ---- */

static GtkWidget *fill(struct sheet *sheet)
{
    const struct sheet_section *section = &sheet->sections[sheet->current];
    g_clear_pointer(&sheet->box, gtk_widget_destroy);
    g_clear_pointer(&sheet->buttons, gtk_widget_destroy);
    sheet->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
    sheet->buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    GtkWidget *first = section->fill(sheet->user, GTK_BOX(sheet->box), GTK_BOX(sheet->buttons));
    gtk_container_add(GTK_CONTAINER(sheet->holder), sheet->box);
    gtk_box_pack_end(GTK_BOX(sheet->buttons_holder), sheet->buttons, FALSE, FALSE, 0);
    gtk_container_set_focus_vadjustment(GTK_CONTAINER(sheet->box),
                                        gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(sheet->scroll)));
    gtk_widget_show_all(sheet->box);
    gtk_widget_show_all(sheet->buttons);
    page_speak(sheet->box, gtk_label_get_text(GTK_LABEL(gtk_bin_get_child(GTK_BIN(sheet->tabs[sheet->current])))),
               section->about);
    return first;
}

void sheet_refill(struct sheet *sheet)
{
    struct place place = focus_place(sheet);
    fill(sheet);
    if (place.index != NOWHERE)
        focus_again(sheet, place);
}

void sheet_show(struct sheet *sheet, guint section)
{
    sheet->current = section;
    sheet->lost.index = NOWHERE;
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(sheet->tabs[section]), TRUE);
    sheet_say(sheet, SHEET_FINE, NULL);
    GtkWidget *first = fill(sheet);
    gtk_adjustment_set_value(gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(sheet->scroll)), 0);
    gtk_widget_grab_focus(first ? first : sheet->tabs[section]);
}

guint sheet_section(struct sheet *sheet)
{
    return sheet->current;
}

/* An arrow among the sections only looks at them: the keyboard stays there. */
static void tab_toggled(GtkToggleButton *tab, gpointer data)
{
    struct sheet *sheet = data;
    guint section = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(tab), "section"));
    if (!gtk_toggle_button_get_active(tab) || section == sheet->current)
        return;
    sheet->current = section;
    sheet->lost.index = NOWHERE;
    sheet_say(sheet, SHEET_FINE, NULL);
    fill(sheet);
    gtk_adjustment_set_value(gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(sheet->scroll)), 0);
}

/* With the keyboard on the section's own button, which has no use for these keys: a section may be all text. */
static gboolean scroll_page(struct sheet *sheet, guint key)
{
    GtkAdjustment *at = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(sheet->scroll));
    double page = gtk_adjustment_get_page_increment(at);
    if ((key != GDK_KEY_Page_Down && key != GDK_KEY_Page_Up) || !gtk_widget_has_focus(sheet->tabs[sheet->current]))
        return FALSE;
    gtk_adjustment_set_value(at, gtk_adjustment_get_value(at) + (key == GDK_KEY_Page_Down ? page : -page));
    return TRUE;
}

gboolean sheet_key(struct sheet *sheet, guint key, GdkModifierType modifiers)
{
    guint last = sheet->count - 1;
    if (key == GDK_KEY_Escape && !modifiers)
        sheet->closed(sheet->user);
    else if (key == GDK_KEY_Page_Down && modifiers == GDK_CONTROL_MASK)
        sheet_show(sheet, sheet->current == last ? 0 : sheet->current + 1);
    else if (key == GDK_KEY_Page_Up && modifiers == GDK_CONTROL_MASK)
        sheet_show(sheet, sheet->current ? sheet->current - 1 : last);
    else
        return !modifiers && scroll_page(sheet, key);
    return TRUE;
}

static gboolean reveal(gpointer data)
{
    struct sheet *sheet = data;
    GtkWidget *window = gtk_widget_get_toplevel(sheet->column), *part = sheet->revealed;
    GtkWidget *focus = GTK_IS_WINDOW(window) ? gtk_window_get_focus(GTK_WINDOW(window)) : NULL;
    int y = 0;
    sheet->reveal_idle = 0;
    if (part && focus && gtk_widget_is_ancestor(focus, part) &&
        gtk_widget_translate_coordinates(part, sheet->holder, 0, 0, NULL, &y))
        gtk_adjustment_clamp_page(gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(sheet->scroll)), y,
                                  y + gtk_widget_get_allocated_height(part));
    if (part)
        g_object_remove_weak_pointer(G_OBJECT(part), (gpointer *)&sheet->revealed);
    sheet->revealed = NULL;
    return G_SOURCE_REMOVE;
}

void sheet_reveal(struct sheet *sheet, GtkWidget *part)
{
    if (sheet->revealed)
        g_object_remove_weak_pointer(G_OBJECT(sheet->revealed), (gpointer *)&sheet->revealed);
    sheet->revealed = part;
    g_object_add_weak_pointer(G_OBJECT(part), (gpointer *)&sheet->revealed);
    if (!sheet->reveal_idle)
        sheet->reveal_idle = g_idle_add(reveal, sheet);
}

/* ---- what is said ---- */

void sheet_say(struct sheet *sheet, enum sheet_level level, const char *sentence)
{
    static const char *const classes[] = {[SHEET_FINE] = "quiet", [SHEET_HINT] = "hint", [SHEET_WRONG] = "error"};
    g_autofree char *text = plain_text(sentence, PLAIN_SENTENCE_MAX);
    for (enum sheet_level i = SHEET_FINE; i <= SHEET_WRONG; i++)
        style_toggle(sheet->said, classes[i], i == level);
    if (g_strcmp0(gtk_label_get_text(GTK_LABEL(sheet->said)), text) != 0)
        gtk_label_set_text(GTK_LABEL(sheet->said), text);
    gtk_widget_set_visible(sheet->said, *text != '\0');
    page_speak(sheet->said, text, NULL);
}

void sheet_set_title(struct sheet *sheet, const char *title, const char *state, const char *chip,
                     const char *class_name)
{
    g_autofree char *plain = plain_text(title, PLAIN_LINE_MAX);
    if (sheet->class_name)
        style_toggle(sheet->chip, sheet->class_name, FALSE);
    g_free(sheet->class_name);
    sheet->class_name = g_strdup(class_name);
    if (class_name)
        style_toggle(sheet->chip, class_name, TRUE);
    gtk_label_set_text(GTK_LABEL(sheet->title), plain);
    gtk_label_set_text(GTK_LABEL(sheet->state), state);
    gtk_label_set_text(GTK_LABEL(sheet->chip), chip ? chip : "");
    gtk_widget_set_visible(sheet->chip, chip != NULL);
}

/* ---- construction ---- */

static void close_clicked(GtkButton *button, gpointer data)
{
    struct sheet *sheet = data;
    (void)button;
    sheet->closed(sheet->user);
}

static GtkWidget *build_title(struct sheet *sheet)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 14);
    sheet->chip = style_label("chip", 0.5f);
    sheet->title = style_label("wizard-title", 0);
    sheet->state = style_label("quiet", 1);
    gtk_label_set_ellipsize(GTK_LABEL(sheet->title), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_max_width_chars(GTK_LABEL(sheet->title), 1); /* what room there is, and no more */
    gtk_widget_set_no_show_all(sheet->chip, TRUE);
    gtk_box_pack_start(GTK_BOX(row), sheet->chip, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), sheet->title, TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(row), sheet->state, FALSE, FALSE, 0);
    return row;
}

static GtkWidget *build_tabs(struct sheet *sheet)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6), *before = NULL;
    sheet->tabs = g_new0(GtkWidget *, sheet->count);
    for (guint i = 0; i < sheet->count; i++) {
        GtkWidget *tab =
            gtk_radio_button_new_with_mnemonic_from_widget(GTK_RADIO_BUTTON(before), sheet->sections[i].label);
        gtk_toggle_button_set_mode(GTK_TOGGLE_BUTTON(tab), FALSE);
        style_toggle(tab, "tab", TRUE);
        page_speak(tab, gtk_label_get_text(GTK_LABEL(gtk_bin_get_child(GTK_BIN(tab)))), sheet->sections[i].about);
        g_object_set_data(G_OBJECT(tab), "section", GUINT_TO_POINTER(i));
        g_signal_connect(tab, "toggled", G_CALLBACK(tab_toggled), sheet);
        gtk_box_pack_start(GTK_BOX(row), tab, FALSE, FALSE, 0);
        before = sheet->tabs[i] = tab;
    }
    return row;
}

static GtkWidget *build_scroll(struct sheet *sheet)
{
    sheet->scroll = gtk_scrolled_window_new(NULL, NULL);
    sheet->holder = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(sheet->scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    gtk_scrolled_window_set_overlay_scrolling(GTK_SCROLLED_WINDOW(sheet->scroll), FALSE);
    gtk_widget_set_can_focus(sheet->scroll, FALSE);
    gtk_container_add(GTK_CONTAINER(sheet->scroll), sheet->holder);
    style_toggle(sheet->holder, "sheet-section", TRUE);
    return sheet->scroll;
}

struct sheet *sheet_new(const struct sheet_section *sections, guint count, void (*closed)(gpointer user), gpointer user)
{
    struct sheet *sheet = g_new0(struct sheet, 1);
    *sheet = (struct sheet){.sections = sections, .count = count, .closed = closed, .user = user};
    sheet->lost.index = NOWHERE;
    sheet->column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
    sheet->buttons_holder = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    sheet->said = page_line("");
    gtk_widget_set_no_show_all(sheet->said, TRUE);
    gtk_box_pack_start(GTK_BOX(sheet->buttons_holder),
                       page_button("C_lose", "secondary", "Goes back to the guests", G_CALLBACK(close_clicked), sheet),
                       FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(sheet->column), build_title(sheet), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(sheet->column), build_tabs(sheet), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(sheet->column), build_scroll(sheet), TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(sheet->column), sheet->said, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(sheet->column), sheet->buttons_holder, FALSE, FALSE, 0);
    gtk_widget_set_size_request(sheet->column, COLUMN_WIDTH, -1);
    gtk_widget_set_halign(sheet->column, GTK_ALIGN_CENTER);
    style_toggle(sheet->column, "wizard", TRUE);
    style_toggle(sheet->column, "sheet", TRUE);
    gtk_widget_show_all(sheet->column);
    return sheet;
}

GtkWidget *sheet_widget(struct sheet *sheet)
{
    return sheet->column;
}
