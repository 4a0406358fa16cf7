#include "nt.h"
const struct nt_export nt_storport_exports[1] = {{"storport.sys", "-", NULL, 0, 0}};
const unsigned nt_storport_export_count = 0;
