/* The images of the pool on the bus: the methods of org.roundhouse.Manager1 that are about them, and its free space. */
#ifndef RH_IMAGE_BUS_H
#define RH_IMAGE_BUS_H

#include "authority.h"
#include "job.h"

struct image_bus {
    const char *pool;        /* the folder (storage/pool.h) */
    const GPtrArray *guests; /* struct guest */
    struct jobs *jobs;
};

/* The structure must outlive the skeleton, an RhManager1. */
void image_bus_serve(struct image_bus *images, struct authority *authority, gpointer skeleton);

/* Tells the skeleton how large the pool is and what of it is free. */
void image_bus_publish_space(const struct image_bus *images, gpointer skeleton);

#endif
