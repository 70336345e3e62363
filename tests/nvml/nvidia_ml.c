/* A libnvidia-ml.so.1 with two cards, so that the real nvidia-ml-py can be driven where there is none.
 *
 * Its state are files below $FAKE_NVML, read at every call:
 *   fail/<function>            a number: what the function returns instead of working; `fail/all` for every function
 *   <card>/fail/<function>     the same for one card
 *   <card>/processes/<pid>     bytes the process uses there; those of dead processes do not count
 *   <card>/power               milliwatts (100,000 times 1 + card by default)
 *   <card>/throttle            the bits of the clocks' event reasons
 *   <card>/mig                 there: MIG is on
 *   hide                       there: process ids are told as another namespace's, 3,000,000 more
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { CARDS = 2 };

#define MIB 1048576ULL
#define HIDDEN 3000000

typedef struct { int index, part; } card;
typedef card *device;
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute; } process;
typedef struct { unsigned gpu, memory; } utilisation;

static card cards[2 * CARDS] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};

static void place(char *path, size_t size, const char *name) {
    const char *root = getenv("FAKE_NVML");
    snprintf(path, size, "%s/%s", root ? root : "/nonexistent", name);
}

static int number(const char *name, long long *found) {
    char path[4096];
    place(path, sizeof path, name);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%lld", found) != 1) *found = 0;
    fclose(file);
    return 1;
}

static long long of_card(device d, const char *name, long long otherwise) {
    char path[256];
    long long found = otherwise;
    snprintf(path, sizeof path, "%d/%s", d->index, name);
    number(path, &found);
    return found;
}

static int fails(device d, const char *function) {
    char path[256];
    long long code;
    snprintf(path, sizeof path, "fail/%s", function);
    if (number("fail/all", &code) || number(path, &code)) return (int)code;
    if (d) {
        snprintf(path, sizeof path, "fail/%s", function);
        return (int)of_card(d, path, SUCCESS);
    }
    return SUCCESS;
}

#define CALL(d) do { int code = fails(d, __func__); if (code) return code; } while (0)

static unsigned list(device d, process *room, unsigned size) {
    char folder[4096], name[64], path[8192];
    unsigned count = 0;
    long long hide;
    int hidden = number("hide", &hide);
    snprintf(name, sizeof name, "%d/processes", d->index);
    place(folder, sizeof folder, name);
    DIR *open = opendir(folder);
    if (!open) return 0;
    for (struct dirent *entry; (entry = readdir(open));) {
        int pid = atoi(entry->d_name);
        if (pid <= 0 || (kill(pid, 0) && errno == ESRCH)) continue;
        if (room && count < size) {
            long long used = 0;
            snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
            number(path, &used);
            room[count] = (process){(unsigned)(hidden ? pid + HIDDEN : pid), (unsigned long long)used, 0xffffffff, 0xffffffff};
        }
        count++;
    }
    closedir(open);
    return count;
}

static unsigned long long used(device d) {
    process all[64];
    unsigned long long sum = 500 * MIB;
    unsigned count = list(d, all, 64);
    for (unsigned i = 0; i < count && i < 64; i++) sum += all[i].used;
    return sum;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; CALL(0); return SUCCESS; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { CALL(0); return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the fake library"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) { CALL(0); snprintf(text, size, "580.95.05"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) { CALL(0); *count = CARDS; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *d) {
    CALL(0);
    if (index >= CARDS) return INVALID_ARGUMENT;
    *d = &cards[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, device *d) {
    CALL(0);
    for (int i = 0; i < CARDS; i++) {
        char whole[32], part[32];
        snprintf(whole, sizeof whole, "GPU-fake-%d", i);
        snprintf(part, sizeof part, "MIG-fake-%d", i);
        if (!strcmp(uuid, whole)) { *d = &cards[i]; return SUCCESS; }
        if (!strcmp(uuid, part)) { *d = &cards[CARDS + i]; return SUCCESS; }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device part, device *d) { CALL(part); *d = &cards[part->index]; return SUCCESS; }
int nvmlDeviceGetIndex(device d, unsigned *index) { CALL(d); *index = (unsigned)d->index; return SUCCESS; }
int nvmlDeviceGetUUID(device d, char *text, unsigned size) { CALL(d); snprintf(text, size, "GPU-fake-%d", d->index); return SUCCESS; }
int nvmlDeviceGetName(device d, char *text, unsigned size) { CALL(d); snprintf(text, size, "Fake card"); return SUCCESS; }

int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending) {
    CALL(d);
    *current = *pending = of_card(d, "mig", -1) != -1;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(device d, memory_v1 *m) {
    CALL(d);
    *m = (memory_v1){16384 * MIB, 16384 * MIB - used(d) - 300 * MIB, used(d) + 300 * MIB};
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(device d, memory_v2 *m) {
    CALL(d);
    *m = (memory_v2){m->version, 16384 * MIB, 300 * MIB, 16384 * MIB - used(d) - 300 * MIB, used(d)};
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *count, process *room) {
    CALL(d);
    unsigned size = *count;
    *count = list(d, room, size);
    return *count > size ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetPowerUsage(device d, unsigned *power) {
    CALL(d);
    *power = (unsigned)of_card(d, "power", 100000 * (1 + d->index));
    return SUCCESS;
}

int nvmlDeviceGetPowerManagementLimit(device d, unsigned *limit) { CALL(d); *limit = 300000; return SUCCESS; }

#ifndef WITHOUT_ENERGY
static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int nvmlDeviceGetTotalEnergyConsumption(device d, unsigned long long *energy) {
    CALL(d);
    *energy = (unsigned long long)(seconds() * (double)of_card(d, "power", 100000 * (1 + d->index)));
    return SUCCESS;
}
#endif

int nvmlDeviceGetUtilizationRates(device d, utilisation *u) { CALL(d); *u = (utilisation){list(d, 0, 0) ? 80 : 0, 10}; return SUCCESS; }
int nvmlDeviceGetClockInfo(device d, unsigned type, unsigned *clock) { CALL(d); *clock = type == 1 ? 1410 : 0; return SUCCESS; }
int nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *degrees) { CALL(d); (void)sensor; *degrees = 55 + (unsigned)d->index; return SUCCESS; }

int nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *reasons) {
    CALL(d);
    *reasons = (unsigned long long)of_card(d, "throttle", 0);
    return SUCCESS;
}
