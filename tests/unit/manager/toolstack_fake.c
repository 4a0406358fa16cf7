/*
 * A hypervisor in memory, for tests: 4 GiB, domains that do what their guest's cmdline says.
 *   create_ms=N       creation takes N ms (default 20)
 *   create_error=TEXT creation fails (up to the next space)
 *   create_fails=N    of create_error, only the first N creations fail
 *   crash_ms=N        the domain crashes N ms after its unpause; likewise poweroff_ms, reboot_ms, vanish_ms
 *   deaf              does not react to shutdown and reboot
 *   button            has a power button only: what it is asked, it shuts down
 *   shutdown_ms=N     takes N ms to shut down (default 20)
 *   operate_ms=N      a pause, and a destroy, take N ms (default 0)
 *   save_ms=N         takes N ms to be saved (default 20)
 *   save_fails        cannot be saved
 *   save_late         is saved although it has been destroyed meanwhile
 *   self_save_ms=N    another tool saves it N ms after its unpause, and lets it go on 500 ms later; save_ends: ends it
 *   destroy_fails=N   the first N attempts to destroy it fail
 * Its version says which domain goes first.
 */
#include "toolstack.h"
#include "errors.h"
#include "saved_state.h"

#include <string.h>
#include <unistd.h>

#define TOTAL_KIB   (4096 * 1024)
#define SERVICE_KIB (1024 * 1024)

struct domain {
    int domid;
    struct guest_config *config;
    gboolean paused;
    gboolean started;
};

struct toolstack {
    toolstack_end_fn end;
    gpointer user;
    GHashTable *domains; /* domid -> struct domain, owned */
    int last_domid;
    int foreground;
    guint failures; /* creations that were to fail and did */
    guint destroy_failures;
};

struct news {
    struct toolstack *toolstack;
    int domid;
    enum toolstack_end end;
};

static void domain_free(gpointer data)
{
    struct domain *domain = data;
    guest_config_free(domain->config);
    g_free(domain);
}

static char *option(const struct guest_config *config, const char *name)
{
    g_auto(GStrv) words = g_strsplit(config->cmdline, " ", -1);
    for (gsize i = 0; words[i]; i++) {
        if (g_str_has_prefix(words[i], name) && words[i][strlen(name)] == '=')
            return g_strdup(words[i] + strlen(name) + 1);
    }
    return NULL;
}

static guint option_number(const struct guest_config *config, const char *name, guint otherwise)
{
    g_autofree char *value = option(config, name);
    return value ? (guint)g_ascii_strtoull(value, NULL, 10) : otherwise;
}

static guint64 free_kib(struct toolstack *toolstack)
{
    guint64 used = SERVICE_KIB;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, toolstack->domains);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        used += (guint64)((struct domain *)value)->config->memory_mib * 1024;
    return TOTAL_KIB - used;
}

static void end_later(struct toolstack *toolstack, int domid, enum toolstack_end end, guint milliseconds);

static gboolean deliver(gpointer data)
{
    struct news *news = data;
    struct domain *domain = g_hash_table_lookup(news->toolstack->domains, GINT_TO_POINTER(news->domid));
    if (!domain)
        return G_SOURCE_REMOVE;
    if (news->end == TOOLSTACK_END_SUSPENDED && strstr(domain->config->cmdline, "self_save_ms"))
        end_later(news->toolstack, news->domid,
                  strstr(domain->config->cmdline, "save_ends") ? TOOLSTACK_END_VANISHED : TOOLSTACK_END_RESUMED, 500);
    if (news->end == TOOLSTACK_END_VANISHED)
        g_hash_table_remove(news->toolstack->domains, GINT_TO_POINTER(news->domid));
    news->toolstack->end(news->domid, news->end, news->toolstack->user);
    return G_SOURCE_REMOVE;
}

static void end_later(struct toolstack *toolstack, int domid, enum toolstack_end end, guint milliseconds)
{
    struct news *news = g_new(struct news, 1);
    *news = (struct news){toolstack, domid, end};
    g_timeout_add_full(G_PRIORITY_DEFAULT, milliseconds, deliver, news, g_free);
}

static gboolean create_now(gpointer data)
{
    GTask *task = data;
    struct toolstack *toolstack = g_object_get_data(G_OBJECT(task), "toolstack");
    struct guest_config *config = g_task_get_task_data(task);
    g_autofree char *failure = option(config, "create_error");
    int saved = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(task), "saved"));
    char state[5] = "";
    gboolean damaged = saved >= 0 && (read(saved, state, 4) != 4 || !g_str_equal(state, "here"));
    if (saved >= 0)
        close(saved);
    if (failure && toolstack->failures < option_number(config, "create_fails", G_MAXUINT)) {
        toolstack->failures++;
        g_task_return_new_error(task, RH_ERROR, RH_ERROR_TOOLSTACK, "The toolstack says: %s.", failure);
    } else if (damaged) {
        g_task_return_new_error(task, RH_ERROR, RH_ERROR_TOOLSTACK, "The toolstack says: %s is no stream.", state);
    } else if ((guint64)config->memory_mib * 1024 > free_kib(toolstack)) {
        g_task_return_new_error(task, RH_ERROR, RH_ERROR_NO_MEMORY,
                                "It needs %u MiB of memory and %" G_GUINT64_FORMAT " MiB are free. Shut another guest "
                                "down, or lower memory_mib in its definition.",
                                config->memory_mib, free_kib(toolstack) / 1024);
    } else {
        struct domain *domain = g_new0(struct domain, 1);
        *domain = (struct domain){++toolstack->last_domid, guest_config_copy(config), TRUE, FALSE};
        g_hash_table_insert(toolstack->domains, GINT_TO_POINTER(domain->domid), domain);
        g_task_return_int(task, domain->domid);
    }
    return G_SOURCE_REMOVE;
}

void toolstack_create(struct toolstack *toolstack, const struct guest_config *config, struct guest_screen screen,
                      int saved, GAsyncReadyCallback done, gpointer user)
{
    GTask *task = g_task_new(NULL, NULL, done, user);
    (void)screen;
    g_object_set_data(G_OBJECT(task), "saved", GINT_TO_POINTER(saved));
    g_task_set_task_data(task, guest_config_copy(config), (GDestroyNotify)guest_config_free);
    g_object_set_data(G_OBJECT(task), "toolstack", toolstack);
    g_timeout_add_full(G_PRIORITY_DEFAULT, option_number(config, "create_ms", 20), create_now, task, g_object_unref);
}

int toolstack_create_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return (int)g_task_propagate_int(G_TASK(result), error);
}

static void begin_to_run(struct toolstack *toolstack, struct domain *domain)
{
    static const struct {
        const char *option;
        enum toolstack_end end;
    } plans[] = {{"crash_ms", TOOLSTACK_END_CRASH},
                 {"poweroff_ms", TOOLSTACK_END_POWEROFF},
                 {"reboot_ms", TOOLSTACK_END_REBOOT},
                 {"self_save_ms", TOOLSTACK_END_SUSPENDED},
                 {"vanish_ms", TOOLSTACK_END_VANISHED}};
    domain->started = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(plans); i++) {
        guint after = option_number(domain->config, plans[i].option, G_MAXUINT);
        if (after != G_MAXUINT)
            end_later(toolstack, domain->domid, plans[i].end, after);
    }
}

static void ask_to_end(struct toolstack *toolstack, struct domain *domain, enum toolstack_end end)
{
    if (strstr(domain->config->cmdline, "button"))
        end = TOOLSTACK_END_POWEROFF;
    if (!strstr(domain->config->cmdline, "deaf"))
        end_later(toolstack, domain->domid, end, option_number(domain->config, "shutdown_ms", 20));
}

static void carry_out(struct toolstack *toolstack, struct domain *domain, enum toolstack_operation operation)
{
    switch (operation) {
    case TOOLSTACK_PAUSE:
        domain->paused = TRUE;
        break;
    case TOOLSTACK_UNPAUSE:
        domain->paused = FALSE;
        if (!domain->started)
            begin_to_run(toolstack, domain);
        break;
    case TOOLSTACK_SHUTDOWN:
        ask_to_end(toolstack, domain, TOOLSTACK_END_POWEROFF);
        break;
    case TOOLSTACK_REBOOT:
        ask_to_end(toolstack, domain, TOOLSTACK_END_REBOOT);
        break;
    case TOOLSTACK_RESUME:
        end_later(toolstack, domain->domid, TOOLSTACK_END_RESUMED, 20);
        break;
    case TOOLSTACK_DESTROY:
        toolstack->end(domain->domid, TOOLSTACK_END_VANISHED, toolstack->user);
        g_hash_table_remove(toolstack->domains, GINT_TO_POINTER(domain->domid));
        break;
    default:
        g_assert_not_reached();
    }
}

struct operation {
    struct toolstack *toolstack;
    enum toolstack_operation kind;
    int domid;
};

static gboolean operate_now(gpointer data)
{
    GTask *task = data;
    const struct operation *operation = g_task_get_task_data(task);
    struct toolstack *toolstack = operation->toolstack;
    struct domain *domain = g_hash_table_lookup(toolstack->domains, GINT_TO_POINTER(operation->domid));
    gboolean fails = domain && operation->kind == TOOLSTACK_DESTROY &&
                     toolstack->destroy_failures < option_number(domain->config, "destroy_fails", 0);
    toolstack->destroy_failures += fails;
    if (!domain || fails) {
        g_task_return_new_error(task, RH_ERROR, RH_ERROR_TOOLSTACK, "Domain %d does not %s.", operation->domid,
                                fails ? "go" : "exist");
    } else {
        carry_out(toolstack, domain, operation->kind);
        g_task_return_boolean(task, TRUE);
    }
    return G_SOURCE_REMOVE;
}

void toolstack_operate(struct toolstack *toolstack, enum toolstack_operation operation, int domid,
                       GAsyncReadyCallback done, gpointer user)
{
    GTask *task = g_task_new(NULL, NULL, done, user);
    struct operation *data = g_new(struct operation, 1);
    struct domain *domain = g_hash_table_lookup(toolstack->domains, GINT_TO_POINTER(domid));
    gboolean slow = operation == TOOLSTACK_PAUSE || operation == TOOLSTACK_DESTROY;
    guint wait = domain && slow ? option_number(domain->config, "operate_ms", 0) : 0;
    *data = (struct operation){toolstack, operation, domid};
    g_task_set_task_data(task, data, g_free);
    if (wait) {
        g_timeout_add_full(G_PRIORITY_DEFAULT, wait, operate_now, task, g_object_unref);
    } else {
        operate_now(task);
        g_object_unref(task);
    }
}

gboolean toolstack_operate_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return g_task_propagate_boolean(G_TASK(result), error);
}

struct saving {
    struct toolstack *toolstack;
    struct guest_config *config;
    char *folder;
    int domid;
};

static void saving_free(gpointer data)
{
    struct saving *saving = data;
    guest_config_free(saving->config);
    g_free(saving->folder);
    g_free(saving);
}

/* The real file, with "here" for libxl's stream. */
static gboolean save_now(gpointer data)
{
    GTask *task = data;
    const struct saving *saving = g_task_get_task_data(task);
    struct domain *domain = g_hash_table_lookup(saving->toolstack->domains, GINT_TO_POINTER(saving->domid));
    gboolean fails = strstr(saving->config->cmdline, "save_fails") != NULL;
    fails = fails || (!domain && !strstr(saving->config->cmdline, "save_late"));
    GError *error = NULL;
    int fd = saved_state_create(saving->folder, saving->config, &error);
    if (fd >= 0 && fails) {
        close(fd);
        saved_state_drop(saving->folder, saving->config->name);
        g_set_error(&error, RH_ERROR, RH_ERROR_TOOLSTACK, "It does not stand still.");
    } else if (fd >= 0) {
        g_assert_cmpint(write(fd, "here", 4), ==, 4);
        saved_state_keep(saving->folder, saving->config->name, fd, &error);
    }
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
    return G_SOURCE_REMOVE;
}

void toolstack_save(struct toolstack *toolstack, const struct guest_config *config, int domid, const char *folder,
                    GAsyncReadyCallback done, gpointer user)
{
    GTask *task = g_task_new(NULL, NULL, done, user);
    struct saving *saving = g_new(struct saving, 1);
    *saving = (struct saving){toolstack, guest_config_copy(config), g_strdup(folder), domid};
    g_task_set_task_data(task, saving, saving_free);
    toolstack->end(domid, TOOLSTACK_END_SUSPENDED, toolstack->user);
    g_timeout_add_full(G_PRIORITY_DEFAULT, option_number(config, "save_ms", 20), save_now, task, g_object_unref);
}

gboolean toolstack_save_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ROUNDHOUSE_FAKE_DISC is a file that says what the last disc begins with, at most 64 bytes. */
void toolstack_change_cd(struct toolstack *toolstack, int domid, const char *image, GAsyncReadyCallback done,
                         gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct domain *domain = g_hash_table_lookup(toolstack->domains, GINT_TO_POINTER(domid));
    g_autofree char *bytes = NULL;
    gsize length = 0;
    GError *error = NULL;
    if (strstr(domain->config->cmdline, "disc_fails"))
        g_set_error(&error, RH_ERROR, RH_ERROR_TOOLSTACK, "The door is locked.");
    else if (g_str_equal(image, GUEST_CDROM_EMPTY) || g_file_get_contents(image, &bytes, &length, &error))
        g_file_set_contents(g_getenv("ROUNDHOUSE_FAKE_DISC"), bytes ? bytes : "", (gssize)MIN(length, 64), &error);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

gboolean toolstack_change_cd_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return g_task_propagate_boolean(G_TASK(result), error);
}

void toolstack_query_host(struct toolstack *toolstack, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    (void)toolstack;
    g_task_return_boolean(task, TRUE);
}

gboolean toolstack_query_host_finish(struct toolstack *toolstack, GAsyncResult *result, struct toolstack_host *host,
                                     GError **error)
{
    *host = (struct toolstack_host){"", free_kib(toolstack), TOTAL_KIB};
    g_snprintf(host->version, sizeof(host->version), "4.17-test, domain %d first", toolstack->foreground);
    return g_task_propagate_boolean(G_TASK(result), error);
}

void toolstack_set_foreground(struct toolstack *toolstack, int domid)
{
    toolstack->foreground = domid;
}

gboolean toolstack_watch(struct toolstack *toolstack, int domid, GError **error)
{
    (void)error;
    g_assert_true(g_hash_table_contains(toolstack->domains, GINT_TO_POINTER(domid)));
    return TRUE;
}

/*
 * ROUNDHOUSE_FAKE_RUNNING names a guest whose domain runs already, ROUNDHOUSE_FAKE_UNBEGUN one whose domain never has,
 * ROUNDHOUSE_FAKE_STILL one whose domain has stopped to be saved.
 */
struct toolstack_domain toolstack_find(struct toolstack *toolstack, const char *name)
{
    gboolean still = g_strcmp0(g_getenv("ROUNDHOUSE_FAKE_STILL"), name) == 0;
    gboolean begun = still || g_strcmp0(g_getenv("ROUNDHOUSE_FAKE_RUNNING"), name) == 0;
    if (!begun && g_strcmp0(g_getenv("ROUNDHOUSE_FAKE_UNBEGUN"), name) != 0)
        return (struct toolstack_domain){.domid = -1};
    struct domain *domain = g_new0(struct domain, 1);
    *domain = (struct domain){++toolstack->last_domid, g_new0(struct guest_config, 1), FALSE, TRUE};
    domain->config->cmdline = g_strdup("");
    domain->config->disks = g_ptr_array_new();
    g_hash_table_insert(toolstack->domains, GINT_TO_POINTER(domain->domid), domain);
    if (still)
        end_later(toolstack, domain->domid, TOOLSTACK_END_SUSPENDED, 10);
    return (struct toolstack_domain){domain->domid, !begun, begun, still};
}

/* ROUNDHOUSE_FAKE_POLICY: a file that the hypervisor's policy goes to; where it cannot be written, it is refused. */
gboolean toolstack_load_policy(struct toolstack *toolstack, const void *table, gsize size, GError **error)
{
    const char *path = g_getenv("ROUNDHOUSE_FAKE_POLICY");
    (void)toolstack;
    if (!path || g_file_set_contents(path, table, (gssize)size, NULL))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "The hypervisor refuses the policy.");
    return FALSE;
}

void toolstack_set_pool(struct toolstack *toolstack, const char *path)
{
    (void)toolstack;
    (void)path;
}

struct toolstack *toolstack_new(toolstack_end_fn end, gpointer user, GError **error)
{
    struct toolstack *toolstack = g_new0(struct toolstack, 1);
    (void)error;
    toolstack->end = end;
    toolstack->user = user;
    toolstack->domains = g_hash_table_new_full(NULL, NULL, NULL, domain_free);
    return toolstack;
}

void toolstack_free(struct toolstack *toolstack)
{
    g_hash_table_unref(toolstack->domains);
    g_free(toolstack);
}
