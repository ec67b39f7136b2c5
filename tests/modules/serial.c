// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * serial - a console that is as slow as a serial port, at 115200 baud unless baud= says otherwise
 *
 * An emulated UART accepts everything at once. So this console waits for its characters with
 * interrupts off, as univ8250_console_write() does for real hardware
 * (drivers/tty/serial/8250/8250_port.c).
 */
#include <linux/console.h>
#include <linux/module.h>
#include <linux/nmi.h>
#include <linux/timekeeping.h>

static unsigned int baud = 115200;
module_param(baud, uint, 0444);
MODULE_PARM_DESC(baud, "bits per second, at least 300; default 115200");

static void serial_write(struct console *console, const char *text, unsigned int length)
{
	unsigned long flags;
	unsigned int spin;
	u64 end;

	touch_nmi_watchdog();
	local_irq_save(flags);
	/* Ten bits for each character, with start and stop */
	end = ktime_get_mono_fast_ns() + (u64)length * (10 * NSEC_PER_SEC / baud);
	/* Reading the clock is slow in an emulator: look at it once in a while. */
	while (ktime_get_mono_fast_ns() < end)
		for (spin = 0; spin < 1000; spin++)
			barrier();
	local_irq_restore(flags);
}

static struct console serial = {
	.name = "serial",
	.write = serial_write,
	.flags = CON_ENABLED,
	.index = -1,
};

static int __init serial_init(void)
{
	register_console(&serial);
	return 0;
}

static void __exit serial_exit(void)
{
	unregister_console(&serial);
}

module_init(serial_init);
module_exit(serial_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test neighbour: a slow console");
