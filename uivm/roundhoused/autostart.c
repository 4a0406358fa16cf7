/*
 * When the machine has just come up it is at its busiest, and Debian's script for disks gives up after 40 s. Nobody
 * sits there to press Start, so what the toolstack could not do is tried a second time.
 */
#include "autostart.h"
#include "errors.h"
#include "guest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AFTER_ALL_NAMES   "~" /* no name begins with it, and it sorts behind those that are names */
#define SEAT_PATIENCE     60  /* seconds */
#define SWITCHER_PATIENCE 30  /* seconds after the seat */

/* A place in the order of guests: that of the guest with this slot and name. */
struct turn {
    guint slot;
    char *name;
};

struct autostart {
    GPtrArray *guests;
    char *marker, *up_marker;
    gboolean (*may)(gpointer user, const struct guest_config *config, GError **error);
    void (*told)(gpointer user);
    gpointer user;
    guint seat_timer, switcher_timer;
    gboolean seat_late, switcher_shown;
    gboolean begun, stopped;
    struct turn turn; /* guests before it have had theirs; the marker says so too */
    gboolean taken;   /* this guest has had it too, in this process */
    gboolean again;   /* the guest whose turn it is has failed once */
};

/* ---- the marker ---- */

static void set_turn(struct autostart *autostart, guint slot, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("%u %s\n", slot, name);
    autostart->turn.slot = slot;
    g_free(autostart->turn.name);
    autostart->turn.name = g_strdup(name);
    autostart->taken = TRUE;
    if (!g_file_set_contents(autostart->marker, text, -1, &error))
        g_warning("%s", error->message);
}

/* It is in a folder of the seat's too, which may put anything there: only a file is read, and nothing waited for. */
static gboolean read_marker(const char *path, char *text, gsize size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    gssize length = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[MAX(length, 0)] = '\0';
    return length >= 0;
}

/* Whose turn was the last: what the marker says. */
static void read_turn(struct autostart *autostart)
{
    char text[GUEST_NAME_MAX + 32], *name = NULL;
    if (read_marker(autostart->marker, text, sizeof(text)))
        autostart->turn.slot = (guint)g_ascii_strtoull(text, &name, 10);
    else
        autostart->turn.slot = 1;
    g_free(autostart->turn.name);
    autostart->turn.name = g_strdup(name ? g_strstrip(name) : "");
}

static gboolean had_turn(const struct autostart *autostart, const struct guest_config *config)
{
    struct guest_config turn = {.slot = autostart->turn.slot, .name = autostart->turn.name};
    int order = guest_config_compare(config, &turn);
    return order < 0 || (order == 0 && autostart->taken);
}

/* ---- one after another ---- */

static void next(struct autostart *autostart);

static void started(struct guest *guest, const GError *error, gpointer data)
{
    struct autostart *autostart = data;
    if (g_error_matches(error, RH_ERROR, RH_ERROR_TOOLSTACK) && guest_state(guest) == GUEST_OFF && !autostart->again &&
        !autostart->stopped) {
        autostart->again = TRUE;
        guest_request(guest, REQUEST_START, started, autostart);
    } else {
        next(autostart); /* the error is in the guest's Error property */
    }
}

static gboolean may_start(const struct autostart *autostart, const struct guest_config *config)
{
    g_autoptr(GError) error = NULL;
    if (autostart->may(autostart->user, config, &error))
        return TRUE;
    g_message("%s is not started by itself. %s", config->name, error->message);
    return FALSE;
}

static void next(struct autostart *autostart)
{
    for (guint i = 0; i < autostart->guests->len && !autostart->stopped; i++) {
        struct guest *guest = g_ptr_array_index(autostart->guests, i);
        const struct guest_config *config = guest_config(guest);
        if (had_turn(autostart, config))
            continue;
        set_turn(autostart, config->slot, config->name); /* until it has started it is this one's turn */
        autostart->again = FALSE;
        if (config->autostart && guest_state(guest) == GUEST_OFF && may_start(autostart, config)) {
            guest_request(guest, REQUEST_START, started, autostart);
            return;
        }
    }
    set_turn(autostart, GUEST_SLOT_NONE, AFTER_ALL_NAMES);
}

static void begin(struct autostart *autostart)
{
    if (autostart->begun)
        return;
    autostart->begun = TRUE;
    read_turn(autostart);
    next(autostart);
}

/* ---- the picture ---- */

/* The picture comes first, but a switcher that never shows must not keep the guests away for ever. */
static gboolean switcher_overdue(gpointer data)
{
    struct autostart *autostart = data;
    autostart->switcher_timer = 0;
    g_warning("The switcher has not said that it is on screen; starting guests without it.");
    begin(autostart);
    return G_SOURCE_REMOVE;
}

static gboolean seat_overdue(gpointer data)
{
    struct autostart *autostart = data;
    autostart->seat_timer = 0;
    autostart->seat_late = TRUE;
    autostart->told(autostart->user);
    return G_SOURCE_REMOVE;
}

/* Seat and switcher are there: a file says so to those who wait for it outside. */
static void up(struct autostart *autostart)
{
    g_autoptr(GError) error = NULL;
    if (!g_file_set_contents(autostart->up_marker, "", 0, &error))
        g_warning("That the switcher is there cannot be told: %s", error->message);
    begin(autostart);
}

void autostart_seat_came(struct autostart *autostart)
{
    g_clear_handle_id(&autostart->seat_timer, g_source_remove);
    autostart->seat_late = FALSE;
    autostart->told(autostart->user);
    if (autostart->switcher_shown)
        up(autostart);
    else
        autostart->switcher_timer = g_timeout_add_seconds(SWITCHER_PATIENCE, switcher_overdue, autostart);
}

void autostart_switcher_shown(struct autostart *autostart, gboolean seat)
{
    autostart->switcher_shown = TRUE;
    g_clear_handle_id(&autostart->switcher_timer, g_source_remove);
    if (seat)
        up(autostart);
}

void autostart_stop(struct autostart *autostart)
{
    autostart->stopped = TRUE;
}

const char *autostart_problem(const struct autostart *autostart)
{
    return autostart->seat_late ? "The display service does not answer, so no guest is started by itself. "
                                  "Restart this machine."
                                : NULL;
}

/* ---- life ---- */

struct autostart *autostart_new(const struct autostart_options *options)
{
    struct autostart *autostart = g_new0(struct autostart, 1);
    autostart->guests = options->guests;
    autostart->marker = g_strdup(options->marker);
    autostart->up_marker = g_strdup(options->up_marker);
    autostart->may = options->may;
    autostart->told = options->told;
    autostart->user = options->user;
    autostart->seat_timer = g_timeout_add_seconds(SEAT_PATIENCE, seat_overdue, autostart);
    return autostart;
}

void autostart_free(struct autostart *autostart)
{
    if (!autostart)
        return;
    g_clear_handle_id(&autostart->seat_timer, g_source_remove);
    g_clear_handle_id(&autostart->switcher_timer, g_source_remove);
    g_free(autostart->marker);
    g_free(autostart->up_marker);
    g_free(autostart->turn.name);
    g_free(autostart);
}
