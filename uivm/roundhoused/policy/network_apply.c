/* One run of nft at a time, which is one transaction; what was wanted meanwhile comes in the next. */
#include "network_apply.h"

struct policy_network {
    char *nft, *problem;
    char *wanted, *running; /* rules; running NULL: no nft runs */
    gboolean in_place;      /* wanted is */
    GCancellable *cancellable;
    void (*told)(gpointer user);
    gpointer user;
};

static void apply(struct policy_network *network);

static void set_problem(struct policy_network *network, const char *why)
{
    char *problem = why ? g_strdup_printf("The policy's rules for the network are not in place: %s", why) : NULL;
    gboolean same = g_strcmp0(problem, network->problem) == 0;
    g_free(network->problem);
    network->problem = problem;
    if (problem && !same)
        g_warning("%s", problem);
    if (!same)
        network->told(network->user);
}

static void ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct policy_network *network = data;
    GSubprocess *process = G_SUBPROCESS(source);
    g_autofree char *complaint = NULL;
    g_autoptr(GError) error = NULL;
    gboolean good = g_subprocess_communicate_utf8_finish(process, result, NULL, &complaint, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the network is gone */
    good = good && g_subprocess_get_successful(process);
    g_autofree char *running = g_steal_pointer(&network->running);
    network->in_place = good && g_str_equal(running, network->wanted);
    set_problem(network, good ? NULL : error ? error->message : g_strstrip(complaint));
    if (!g_str_equal(running, network->wanted))
        apply(network);
}

static void apply(struct policy_network *network)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                                                      &error, network->nft, "-f", "-", NULL);
    if (!process) {
        set_problem(network, error->message);
        return;
    }
    network->running = g_strdup(network->wanted);
    g_subprocess_communicate_utf8_async(process, network->running, network->cancellable, ended, network);
}

void policy_network_set(struct policy_network *network, char *rules)
{
    gboolean same = g_strcmp0(rules, network->wanted) == 0;
    g_free(network->wanted);
    network->wanted = rules;
    if (!network->running && (!same || !network->in_place))
        apply(network);
}

const char *policy_network_problem(const struct policy_network *network)
{
    return network->problem;
}

struct policy_network *policy_network_new(const char *nft, void (*told)(gpointer user), gpointer user)
{
    struct policy_network *network = g_new0(struct policy_network, 1);
    network->nft = g_strdup(nft);
    network->cancellable = g_cancellable_new();
    network->told = told;
    network->user = user;
    return network;
}

void policy_network_free(struct policy_network *network)
{
    g_cancellable_cancel(network->cancellable);
    g_object_unref(network->cancellable);
    g_free(network->nft);
    g_free(network->problem);
    g_free(network->wanted);
    g_free(network->running);
    g_free(network);
}
