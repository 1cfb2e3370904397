# The guest's second half, on the host's files: network, BlueZ, the command, its exit status, the end.
# "job" is the host's directory with the command; the first virtio port takes what it prints, the
# second its exit status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

ip link set lo up
ip link add vcan0 type vcan && ip link set vcan0 up

mount -t tmpfs -o mode=700 bluetooth /var/lib/bluetooth # no device that the host knows
dbus-uuidgen --ensure
dbus-daemon --system --fork
/usr/libexec/bluetooth/bluetoothd --nodetach &

sh "$job/command" >/dev/vport0p1 2>&1 </dev/null
echo $? >/dev/vport0p2
echo b >/proc/sysrq-trigger # reboot, which is the emulator's end
