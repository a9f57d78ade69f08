# Become PID 1 of a machine of its own: this system's files under an overlay, systemd, only loopback.
# Arguments: an empty directory, the directory with the wheels, the prefix of this Python.
# Run by `unshare` with new mount, PID, UTS, IPC, cgroup and network namespaces.
set -eu
state=$1 wheels=$2 python=$3

mount --make-rprivate /
# Whatever the machine writes is in memory and goes away with it.
mount -t tmpfs -o mode=0755 tmpfs "$state"
mkdir "$state/upper" "$state/work" "$state/root"
mount -t overlay -o "lowerdir=/,upperdir=$state/upper,workdir=$state/work" overlay "$state/root"
cd "$state/root"

mount -t proc proc proc
# The kernel's settings and devices are the host's: systemd would change them at boot.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs dev
mkdir dev/pts dev/shm
for node in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 0666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 0666 dev/tty c 5 0
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=0755 tmpfs run
for directory in tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$directory"; done

mkdir -p opt/wheels
mount --bind "$wheels" opt/wheels
if [ "$python" != /usr ]; then
  # It may lie in a home, where services do not look; where it was built for comes first otherwise.
  mkdir -p opt/python
  mount --bind "$python" opt/python
  echo /opt/python/lib >etc/ld.so.conf.d/test-python.conf
  chroot . ldconfig
fi

# The services of the machine that this runs on, and what only a real machine has, are not wanted.
rm -f etc/systemd/system/*.wants/*
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  man-db.timer systemd-remount-fs.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-journald-audit.socket dev-hugepages.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount sys-fs-fuse-connections.mount modprobe@.service; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done

ip link set lo up
echo machine >etc/hostname
echo '127.0.0.1 localhost machine' >etc/hosts
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=test \
  /lib/systemd/systemd --unit=multi-user.target --log-target=journal --show-status=no
