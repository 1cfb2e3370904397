#!/busybox sh
# The first process, in the RAM disk: reach the host's files, put RAM over them, change over to them.
# The kernel hands over "job", a directory of the host, as an environment variable.
/busybox mkdir -p /bin /dev /proc /host /layer /root
/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
mount -t proc proc /proc

fail() {
    echo "guest: $*"
    echo b >/proc/sysrq-trigger
}

for module in /modules/*.ko; do
    insmod "$module" || echo "guest: cannot load $module"
done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host ||
    fail "the host's files cannot be reached"
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root ||
    fail "cannot lay RAM over the host's files"
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t tmpfs -o mode=755 run /root/run
mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/run/dbus /root/run/lock
mount -t devpts -o ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 shm /root/dev/shm
ln -s /proc/self/fd /root/dev/fd
exec switch_root /root /bin/sh "$job/session"
