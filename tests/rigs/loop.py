"""A small ext4 of our own on a loop device: to cut its power, fill it, or break it."""

import fcntl
import os
import struct
import subprocess
import time

from rig import CannotRun, need_program, run

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
GOING_NOLOGFLUSH = 2  # what the journal has not written yet is lost, as with the power


class LoopDisk:
    """Mounted when made; unmounted and removed when the rig ends."""

    def __init__(self, rig, name, mib, options="errors=remount-ro"):
        if os.geteuid() != 0:
            raise CannotRun("a loop mount needs root")
        for program in ("mkfs.ext4", "losetup", "mount", "e2fsck"):
            need_program(program)
        self.image = rig.folder / f"{name}.img"
        self.mount_point = rig.folder / name
        self.options = options
        self.device = None
        self.mount_point.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(mib * 1024 * 1024)
        run("mkfs.ext4", "-q", "-F", self.image)
        rig.at_end(self.unmount)
        self.mount()

    def mount(self):
        try:
            found = run("losetup", "--find", "--show", self.image).decode().strip()
        except RuntimeError as error:
            raise CannotRun(f"no loop device: {error}") from None
        self.device = found
        run("mount", "-o", self.options, self.device, self.mount_point)

    def unmount(self):
        if self.device is None:
            return
        for _ in range(50):
            done = subprocess.run(["umount", str(self.mount_point)], capture_output=True)
            if done.returncode == 0 or b"not mounted" in done.stderr:
                break
            time.sleep(0.1)  # the kernel has yet to close what a killed process had open
        else:
            raise RuntimeError(f"{self.mount_point} stays busy: {done.stderr.decode()}")
        run("losetup", "-d", self.device)
        self.device = None

    def remount(self):
        self.unmount()
        self.mount()

    def repair(self):
        """As the machine's boot does after an error: check, then mount."""
        self.unmount()
        # 1 means "errors corrected".
        done = subprocess.run(["e2fsck", "-f", "-y", str(self.image)], capture_output=True)
        if done.returncode > 1:
            raise RuntimeError(done.stdout.decode(errors="replace"))
        self.mount()

    def pull_the_plug(self):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", GOING_NOLOGFLUSH))
        finally:
            os.close(folder)

    def go_read_only(self):
        """The kernel finds an error and stops writing; open files get EROFS or EIO."""
        name = os.path.basename(self.device)
        with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w") as trigger:
            trigger.write("rig")
