/* Calls, and the jobs that they may have begun. */
#include "errand.h"

#define CALL_MILLISECONDS (10 * 60 * 1000)
#define LOST                                                                                                           \
    "What became of it is not known: the service behind it has been started anew. Look whether it has happened, and "  \
    "try again if not."

struct errands {
    struct model *model;
    model_failed_fn failed;
    gpointer user;
    GPtrArray *under_way; /* struct errand */
};

struct errand {
    struct errands *errands;
    errand_done_fn done; /* NULL: nobody waits */
    gpointer user;
    gboolean seen; /* the job was there */
    char *job;     /* its path; NULL: there is none yet, or none at all */
};

static void end(struct errand *errand, GVariant *answer, const char *sentence)
{
    struct errands *errands = errand->errands;
    g_ptr_array_remove(errands->under_way, errand);
    if (errand->done)
        errand->done(answer, sentence, errand->user);
    else if (sentence)
        errands->failed(sentence, errands->user);
    g_free(errand->job);
    g_free(errand);
}

static void look_at_job(struct errand *errand)
{
    struct model *model = errand->errands->model;
    RhJob1 *job = errand->job ? model_find_job(model, errand->job) : NULL;
    const char *state = job ? rh_job1_get_state(job) : "";
    errand->seen = errand->seen || job;
    if (errand->job && !job && (errand->seen || !model_manager(model)))
        end(errand, NULL, LOST);
    else if (g_strcmp0(state, "done") == 0)
        end(errand, NULL, NULL);
    else if (g_strcmp0(state, "failed") == 0)
        end(errand, NULL, rh_job1_get_error(job));
    else if (g_strcmp0(state, "cancelled") == 0)
        end(errand, NULL, "It was cancelled.");
}

void errands_update(struct errands *errands)
{
    for (guint i = errands->under_way->len; i-- > 0;)
        look_at_job(g_ptr_array_index(errands->under_way, i));
}

/* The path of the job that the answer names; NULL: it names none. */
static char *job_in(GVariant *answer)
{
    const char *path = "";
    if (g_variant_is_of_type(answer, G_VARIANT_TYPE("(o)")))
        g_variant_get(answer, "(&o)", &path);
    return g_str_has_prefix(path, MODEL_JOBS_PATH) ? g_strdup(path) : NULL;
}

static void answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct errand *errand = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(source), NULL, result, &error);
    if (!answer) {
        g_dbus_error_strip_remote_error(error);
        end(errand, NULL, error->message);
    } else if ((errand->job = job_in(answer)))
        look_at_job(errand);
    else
        end(errand, answer, NULL);
}

struct errand *errand_begin(struct errands *errands, gpointer proxy, const char *method, GVariant *parameters,
                            GUnixFDList *files, errand_done_fn done, gpointer user)
{
    struct errand *errand = g_new0(struct errand, 1);
    *errand = (struct errand){.errands = errands, .done = done, .user = user};
    g_ptr_array_add(errands->under_way, errand);
    g_dbus_proxy_call_with_unix_fd_list(proxy, method, parameters, G_DBUS_CALL_FLAGS_NONE, CALL_MILLISECONDS, files,
                                        NULL, answered, errand);
    return errand;
}

void errand_leave(struct errand *errand)
{
    if (errand)
        errand->done = NULL;
}

double errand_progress(const struct errand *errand)
{
    RhJob1 *job = errand->job ? model_find_job(errand->errands->model, errand->job) : NULL;
    return job ? rh_job1_get_progress(job) : -1;
}

struct errands *errands_new(struct model *model, model_failed_fn failed, gpointer user)
{
    struct errands *errands = g_new0(struct errands, 1);
    *errands = (struct errands){model, failed, user, g_ptr_array_new()};
    return errands;
}
