/*
 * Each page as somebody meets it who does not see it, and as a small screen has it: every control has a name and says
 * what it does, access keys are not given twice, something has the keyboard, and nothing needs more room than there is.
 * The argument is the fake roundhoused, which runs on a bus of this test's own; pages are on an Xvfb of its own.
 */
#include "../check.h"
#include "model.h"
#include "pages.h"
#include "progress.h"
#include "style.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SCREEN_WIDTH   800
#define ROOM_HEIGHT    (600 - 71) /* below the header */
#define PATIENCE_TURNS 2000

static struct wizard_view *view;
static struct model *model;
static GtkWidget *window;
static const char *where;

static guint closed_count, failed_count;

static void closed(gpointer user)
{
    (void)user;
    closed_count++;
}

static void failed(const char *sentence, gpointer user)
{
    (void)user, (void)sentence;
    failed_count++;
}

static void switch_to(guint slot, gpointer user)
{
    (void)slot, (void)user;
}

static void turn(gpointer data)
{
    (void)data;
    wizard_view_update(view);
}

static gboolean has_guests(void)
{
    return model_manager(model) && model_guests(model)->len == 1;
}

static gboolean has_job(void)
{
    return model_jobs(model)->len == 1;
}

static gboolean can_clone(void)
{
    return wizard_offers(wizard_view_wizard(view), WIZARD_CLONE);
}

static void wait_for(gboolean (*is_so)(void))
{
    for (guint i = 0; !is_so() && i < PATIENCE_TURNS; i++) {
        while (gtk_events_pending())
            gtk_main_iteration();
        g_usleep(10000);
    }
    CHECK(is_so(), "%s", where);
}

/* ---- looking at a page ---- */

static gboolean is_control(AtkRole role)
{
    return role == ATK_ROLE_PUSH_BUTTON || role == ATK_ROLE_RADIO_BUTTON || role == ATK_ROLE_TEXT ||
           role == ATK_ROLE_SPIN_BUTTON || role == ATK_ROLE_TOGGLE_BUTTON || role == ATK_ROLE_CHECK_BOX;
}

/* What is shown and can be used; gives how many. */
static guint check_spoken(AtkObject *object)
{
    g_autoptr(AtkStateSet) states = atk_object_ref_state_set(object);
    AtkRole role = atk_object_get_role(object);
    guint count = 0;
    gboolean shown = atk_state_set_contains_state(states, ATK_STATE_VISIBLE);
    if (shown && (is_control(role) || role == ATK_ROLE_PROGRESS_BAR)) {
        const char *name = atk_object_get_name(object), *description = atk_object_get_description(object);
        CHECK(name && *name, "%s: a %s has no name", where, atk_role_get_name(role));
        CHECK(role == ATK_ROLE_PROGRESS_BAR || (description && *description), "%s: %s has no description", where, name);
        count = is_control(role);
    }
    for (int i = 0; shown && i < atk_object_get_n_accessible_children(object); i++) {
        AtkObject *child = atk_object_ref_accessible_child(object, i);
        count += check_spoken(child);
        g_object_unref(child);
    }
    return count;
}

static void check_access_key(GtkWidget *widget, gpointer data)
{
    GHashTable *keys = data;
    if (!gtk_widget_get_visible(widget))
        return;
    guint key = GTK_IS_LABEL(widget) ? gtk_label_get_mnemonic_keyval(GTK_LABEL(widget)) : GDK_KEY_VoidSymbol;
    if (key != GDK_KEY_VoidSymbol)
        CHECK(g_hash_table_add(keys, GUINT_TO_POINTER(key)), "%s: two have the access key %c", where, (int)key);
    if (GTK_IS_CONTAINER(widget))
        gtk_container_forall(GTK_CONTAINER(widget), check_access_key, keys);
}

static void check_page(const char *name, guint least_controls)
{
    GtkRequisition least;
    g_autoptr(GHashTable) keys = g_hash_table_new(NULL, NULL);
    where = name;
    while (gtk_events_pending())
        gtk_main_iteration();
    guint controls = check_spoken(gtk_widget_get_accessible(window));
    CHECK(controls >= least_controls, "%s: %u controls", name, controls);
    check_access_key(window, keys);
    CHECK(g_hash_table_size(keys) >= 1, "%s", name);
    gtk_widget_get_preferred_size(wizard_view_widget(view), &least, NULL);
    CHECK(least.width <= SCREEN_WIDTH && least.height <= ROOM_HEIGHT, "%s needs %dx%d", name, least.width,
          least.height);
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(window));
    CHECK(focus && gtk_widget_is_visible(focus), "%s: nothing has the keyboard", name);
}

/* ---- the pages ---- */

static void looked_at(enum medium_kind kind)
{
    struct medium medium = {.kind = kind, .bytes = 1 << 20, .disk_bytes = (guint64)5 << 30, .bootable = TRUE};
    struct wizard *wizard = wizard_view_wizard(view);
    wizard_set_file(wizard, "/media/a-very-long-name-that-somebody-gave-to-a-file-of-an-installation-disc-12.iso",
                    FALSE);
    wizard_set_looked(wizard, wizard_file(wizard), &medium, NULL, NULL);
}

static void next(enum wizard_page page)
{
    CHECK(wizard_next(wizard_view_wizard(view)), "%s", where);
    CHECK_EQUAL(page, wizard_page(wizard_view_wizard(view)));
    wizard_view_refill(view);
}

static void changed_page(enum wizard_page page, const char *name, guint controls)
{
    wizard_view_change(view, page);
    CHECK_EQUAL(page, wizard_page(wizard_view_wizard(view)));
    check_page(name, controls);
    CHECK(wizard_view_key(view, GDK_KEY_Escape));
    CHECK_EQUAL(WIZARD_PAGE_SUMMARY, wizard_page(wizard_view_wizard(view)));
}

static void test_disc(void)
{
    wizard_view_open(view);
    CHECK(wizard_view_is_open(view));
    wait_for(can_clone);
    wizard_view_refill(view);
    check_page("source", 6);
    next(WIZARD_PAGE_FILE);
    check_page("file", 4);
    looked_at(MEDIUM_DISC);
    next(WIZARD_PAGE_NAME);
    check_page("name", 4);
    wizard_set_name(wizard_view_wizard(view),
                    "no good name, for it is far too long and has spaces in it, which no name can have");
    wizard_view_refill(view);
    check_page("name that is wrong", 4);
    wizard_set_name(wizard_view_wizard(view), "good");
    next(WIZARD_PAGE_MEMORY);
    check_page("memory", 4);
    next(WIZARD_PAGE_DISK);
    check_page("disk", 4);
    next(WIZARD_PAGE_SUMMARY);
    check_page("summary", 10);
    changed_page(WIZARD_PAGE_PROCESSORS, "processors", 4);
    changed_page(WIZARD_PAGE_FIRMWARE, "firmware", 5);
    changed_page(WIZARD_PAGE_WINDOWS, "windows", 5);
    changed_page(WIZARD_PAGE_NETWORK, "network", 5);
    while (wizard_view_is_open(view))
        CHECK(wizard_view_key(view, GDK_KEY_Escape));
    CHECK_EQUAL(1, closed_count);
}

static void test_clone(void)
{
    wizard_view_open(view);
    wait_for(can_clone);
    wizard_set_source(wizard_view_wizard(view), WIZARD_CLONE);
    wizard_view_refill(view);
    next(WIZARD_PAGE_GUEST);
    check_page("guest", 4);
    CHECK(wizard_origin(wizard_view_wizard(view)) != NULL);
    next(WIZARD_PAGE_NAME);
    next(WIZARD_PAGE_MEMORY);
    next(WIZARD_PAGE_SUMMARY);
    check_page("summary of a clone", 7);
}

/* The button that has the keyboard. */
static void press(void)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(window));
    CHECK(GTK_IS_BUTTON(focus));
    gtk_button_clicked(GTK_BUTTON(focus));
}

static void test_progress(void)
{
    press(); /* makes the guest */
    check_page("progress, asked", 1);
    wait_for(has_job);
    check_page("progress", 2);
    press(); /* closes it; it goes on */
    CHECK(!wizard_view_is_open(view));
    wizard_view_open_job(view, g_ptr_array_index(model_jobs(model), 0));
    check_page("progress, opened again", 2);
    CHECK(wizard_view_key(view, GDK_KEY_Escape));
    CHECK_EQUAL(3, closed_count);
    CHECK_EQUAL(0, failed_count);
}

static void test_time_words(void)
{
    static const struct {
        int seconds;
        const char *words;
    } rows[] = {{-1, ""},
                {0, "A few seconds left"},
                {9, "A few seconds left"},
                {11, "About 20 seconds left"},
                {60, "About 1 minute left"},
                {89, "About 1 minute left"},
                {90, "About 2 minutes left"},
                {5369, "About 89 minutes left"},
                {5370, "About 2 hours left"},
                {7200, "About 2 hours left"}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *words = progress_time_words(rows[i].seconds);
        CHECK(g_str_equal(words, rows[i].words), "%d: %s", rows[i].seconds, words);
    }
}

/* ---- around it ---- */

/* A test that fails ends at once; who reads what it says waits for its children too. */
static void end_with_parent(gpointer user)
{
    (void)user;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static GSubprocess *start_display(void)
{
    int ends[2];
    char number[16] = ":";
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_set_child_setup(launcher, end_with_parent, NULL, NULL);
    CHECK(pipe(ends) == 0);
    g_subprocess_launcher_take_fd(launcher, ends[1], 3);
    GSubprocess *display = g_subprocess_launcher_spawn(launcher, NULL, "Xvfb", "-displayfd", "3", "-screen", "0",
                                                       "800x600x24", "-nolisten", "tcp", NULL);
    CHECK(display != NULL);
    for (gsize at = 1; at < sizeof(number) - 1 && read(ends[0], number + at, 1) == 1 && number[at] != '\n';)
        at++;
    g_setenv("DISPLAY", g_strchomp(number), TRUE);
    g_setenv("GDK_BACKEND", "x11", TRUE);
    g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
    close(ends[0]);
    return display;
}

static GSubprocess *start_manager(const char *program)
{
    static const char commands[] = "memory 6144 8192\npool 60 100\nguest work off 0 image:work,xvda,rw\n";
    GSubprocess *manager =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE, NULL, program, NULL);
    CHECK(manager != NULL);
    CHECK(g_output_stream_write_all(g_subprocess_get_stdin_pipe(manager), commands, sizeof(commands) - 1, NULL, NULL,
                                    NULL));
    return manager;
}

int main(int argc, char **argv)
{
    static const struct wizard_view_calls calls = {closed, failed, switch_to};
    CHECK_EQUAL(2, argc);
    g_autoptr(GTestDBus) bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(bus);
    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address(bus), TRUE);
    g_autoptr(GSubprocess) display = start_display();
    g_autoptr(GSubprocess) manager = start_manager(argv[1]);
    gtk_init(NULL, NULL);
    style_init();
    model = model_new();
    view = wizard_view_new(model, &calls, NULL);
    window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    style_toggle(window, "switcher", TRUE);
    gtk_window_set_default_size(GTK_WINDOW(window), SCREEN_WIDTH, ROOM_HEIGHT);
    gtk_container_add(GTK_CONTAINER(window), wizard_view_widget(view));
    gtk_widget_show(window);
    model_observe(model, turn, NULL);
    where = "the service";
    wait_for(has_guests);
    test_disc();
    test_clone();
    test_progress();
    test_time_words();
    g_subprocess_force_exit(manager);
    g_subprocess_force_exit(display);
    g_test_dbus_stop(bus);
    return 0;
}
