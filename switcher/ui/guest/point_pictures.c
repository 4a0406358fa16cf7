/* Calls, and pictures by the times of their points. */
#include "point_pictures.h"
#include "points.h"

#define WIDTH  96
#define HEIGHT 60

struct point_pictures {
    RhGuest1 *guest;
    GCancellable *cancellable;
    GHashTable *known; /* gint64 * -> GdkPixbuf; NULL: asked for, or there is none */
    guint under_way;
    void (*came)(gpointer user);
    gpointer user;
};

/* Who asked may be gone when the answer comes. */
struct question {
    struct point_pictures *pictures;
    gint64 time;
};

static void unref_if(gpointer object)
{
    if (object)
        g_object_unref(object);
}

struct point_pictures *point_pictures_new(RhGuest1 *guest, void (*came)(gpointer user), gpointer user)
{
    struct point_pictures *pictures = g_new0(struct point_pictures, 1);
    *pictures = (struct point_pictures){.guest = g_object_ref(guest), .came = came, .user = user};
    pictures->cancellable = g_cancellable_new();
    pictures->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, unref_if);
    return pictures;
}

void point_pictures_free(struct point_pictures *pictures)
{
    if (!pictures)
        return;
    g_cancellable_cancel(pictures->cancellable);
    g_object_unref(pictures->cancellable);
    g_object_unref(pictures->guest);
    g_hash_table_unref(pictures->known);
    g_free(pictures);
}

/* roundhoused made the file; of what is in it the guest chose the pixels. NULL: it is none. */
static GdkPixbuf *decode(GVariant *bytes)
{
    g_autoptr(GdkPixbufLoader) loader = gdk_pixbuf_loader_new_with_type("png", NULL);
    g_autoptr(GBytes) png = g_variant_get_data_as_bytes(bytes);
    gboolean good = loader && gdk_pixbuf_loader_write_bytes(loader, png, NULL);
    good = loader && gdk_pixbuf_loader_close(loader, NULL) && good;
    GdkPixbuf *picture = good ? gdk_pixbuf_loader_get_pixbuf(loader) : NULL;
    if (!picture)
        return NULL;
    double width = gdk_pixbuf_get_width(picture), height = gdk_pixbuf_get_height(picture);
    double scale = MIN(1, MIN(WIDTH / width, HEIGHT / height));
    return gdk_pixbuf_scale_simple(picture, (int)MAX(1, width * scale), (int)MAX(1, height * scale),
                                   GDK_INTERP_BILINEAR);
}

static void told(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree struct question *question = data;
    struct point_pictures *pictures = question->pictures;
    g_autoptr(GVariant) bytes = NULL;
    g_autoptr(GError) error = NULL;
    gboolean good = rh_guest1_call_get_point_picture_finish(RH_GUEST1(source), &bytes, result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* they are gone */
    if (good)
        g_hash_table_replace(pictures->known, g_memdup2(&question->time, sizeof(question->time)), decode(bytes));
    if (--pictures->under_way == 0)
        pictures->came(pictures->user);
}

void point_pictures_ask(struct point_pictures *pictures, const GPtrArray *points)
{
    for (guint i = 0; i < points->len && i < POINT_PICTURES_MAX; i++) {
        const struct point *point = g_ptr_array_index(points, i);
        if (!point->picture || g_hash_table_contains(pictures->known, &point->time))
            continue;
        struct question *question = g_new(struct question, 1);
        *question = (struct question){pictures, point->time};
        g_hash_table_insert(pictures->known, g_memdup2(&point->time, sizeof(point->time)), NULL);
        pictures->under_way++;
        rh_guest1_call_get_point_picture(pictures->guest, point->time, pictures->cancellable, told, question);
    }
}

GtkWidget *point_picture_widget(struct point_pictures *pictures, gint64 time)
{
    GdkPixbuf *picture = pictures ? g_hash_table_lookup(pictures->known, &time) : NULL;
    GtkWidget *image = gtk_image_new_from_pixbuf(picture);
    gtk_widget_set_size_request(image, WIDTH, HEIGHT);
    atk_object_set_role(gtk_widget_get_accessible(image), picture ? ATK_ROLE_IMAGE : ATK_ROLE_FILLER);
    if (picture)
        atk_object_set_name(gtk_widget_get_accessible(image), "What it showed then");
    return image;
}
