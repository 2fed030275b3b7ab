using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Provisioner.Appliance.Bus.LibSystemd;
using static Provisioner.Networks.Sockets.Libc;

namespace Provisioner.Appliance.Bus;

/// <summary>Where the bus is, and how long an answer may take.</summary>
internal sealed record BusOptions
{
    /// <summary>The standard place, which a variable of the environment moves (D-Bus specification, "Well-known Message Bus Instances").</summary>
    public string Address { get; init; } =
        Environment.GetEnvironmentVariable("DBUS_SYSTEM_BUS_ADDRESS") is { Length: > 0 } said ? said : "unix:path=/run/dbus/system_bus_socket";

    /// <summary>As long as libdbus waits for a method's answer.</summary>
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>Between two tries to connect; doubled up to a minute.</summary>
    public TimeSpan ReconnectAfter { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// The bus by libsystemd, on one thread that sleeps in poll(2) until the bus or a caller has something. A bus that is gone or not there yet is
/// tried again; calls fail until then.
/// </summary>
internal sealed class SystemBus : IBusConnection, IDisposable
{
    private const string Daemon = "org.freedesktop.DBus";

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly BusOptions options;
    private readonly TimeProvider time;
    private readonly ILogger<SystemBus> logger;
    private readonly SafeFileHandle wake;
    private readonly ConcurrentQueue<Action> posted = new();
    private readonly Thread thread;

    // All below belong to the thread.
    private readonly Dictionary<ulong, Waiting> waiting = [];
    private readonly List<Subscription> subscriptions = [];
    private nint bus;
    private bool ready;
    private TimeSpan pause;
    private long connectAt;

    private volatile string? problem = "not connected yet";
    private volatile bool stopping;

    public SystemBus(BusOptions options, TimeProvider time, ILogger<SystemBus> logger)
    {
        this.options = options;
        this.time = time;
        this.logger = logger;
        pause = options.ReconnectAfter;
        var descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor < 0)
            throw new SocketException(Marshal.GetLastPInvokeError());
        wake = new SafeFileHandle(descriptor, ownsHandle: true);
        thread = new Thread(Run) { IsBackground = true, Name = "dbus" };
        thread.Start();
    }

    public event Action? Changed;

    public string? Problem => problem;

    public Task<IReadOnlyList<object?>> CallMethodAsync(MethodCall call, CancellationToken cancellation = default)
    {
        var answer = new TaskCompletionSource<IReadOnlyList<object?>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() => Send(call, answer));
        return AnswerAsync(call, answer.Task, cancellation);
    }

    public IDisposable AddMatch(MatchRule rule, Action<Signal> heard)
    {
        var subscription = new Subscription(this, rule, heard);
        Post(() =>
        {
            subscriptions.Add(subscription);
            if (bus != 0)
                Match("AddMatch", rule);
        });
        return subscription;
    }

    public void Dispose()
    {
        if (stopping)
            return;
        stopping = true;
        Wake();
        thread.Join();
        wake.Dispose();
    }

    private async Task<IReadOnlyList<object?>> AnswerAsync(MethodCall call, Task<IReadOnlyList<object?>> answer, CancellationToken cancellation)
    {
        try
        {
            return await answer.WaitAsync(options.AnswerWithin, time, cancellation);
        }
        catch (TimeoutException)
        {
            throw new BusException($"{call.Service} has not answered within {options.AnswerWithin.TotalSeconds:0.#} s", BusException.TimedOut);
        }
    }

    private void Post(Action work)
    {
        posted.Enqueue(work);
        Wake();
    }

    private unsafe void Wake()
    {
        ulong one = 1;
        _ = write(wake, &one, 8);
    }

    private void Run()
    {
        try
        {
            while (!stopping)
            {
                if (bus == 0 && Stopwatch.GetTimestamp() >= connectAt)
                    Connect();
                while (posted.TryDequeue(out var work))
                    work();
                Process();
                Sleep();
            }
            Lose("the service stops", again: false);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            Lose("libsystemd is not installed on this machine (libsystemd.so.0)", again: false);
        }
#pragma warning disable CA1031 // Without the bus the service goes on; that it is without, and why, is said.
        catch (Exception e)
#pragma warning restore CA1031
        {
            BusLog.Defect(logger, e);
            Lose($"a defect: {e.Message}", again: false);
        }
        // Whoever asks from now on hears at once.
        while (!stopping)
        {
            while (posted.TryDequeue(out var work))
                work();
            Sleep();
        }
    }

    private void Connect()
    {
        var step = sd_bus_new(out bus);
        step = step < 0 ? step : sd_bus_set_address(bus, options.Address);
        step = step < 0 ? step : sd_bus_set_bus_client(bus, 1);
        step = step < 0 ? step : sd_bus_negotiate_fds(bus, 1);
        step = step < 0 ? step : sd_bus_start(bus);
        if (step < 0)
        {
            Lose($"there is no system bus at {options.Address} ({Marshal.GetPInvokeErrorMessage(-step)})", again: true);
            return;
        }
        // They queue up behind the greeting.
        foreach (var rule in subscriptions.Select(s => s.Rule).Distinct())
            Match("AddMatch", rule);
    }

    private void Process()
    {
        while (bus != 0)
        {
            var result = sd_bus_process(bus, out var message);
            if (result < 0)
            {
                Lose($"the connection to the system bus at {options.Address} is lost ({Marshal.GetPInvokeErrorMessage(-result)})", again: true);
                return;
            }
            if (!ready && sd_bus_is_ready(bus) > 0)
            {
                ready = true;
                pause = options.ReconnectAfter;
                problem = null;
                BusLog.Connected(logger, options.Address);
                Changed?.Invoke();
            }
            if (message != 0)
            {
                try
                {
                    Take(message);
                }
                finally
                {
                    sd_bus_message_unref(message);
                }
            }
            if (result == 0)
                return;
        }
    }

    private void Take(nint message)
    {
        _ = sd_bus_message_get_type(message, out var type);
        switch (type)
        {
            case MethodReturn or MethodError when sd_bus_message_get_reply_cookie(message, out var cookie) >= 0 && waiting.Remove(cookie, out var asked):
                Answer(message, type, asked);
                break;
            // One that is addressed to us was not matched by the bus, and may be anybody's.
            case SignalMessage when sd_bus_message_get_destination(message) == 0:
                var signal = new Signal(TextOf(sd_bus_message_get_path(message)), TextOf(sd_bus_message_get_interface(message)), TextOf(sd_bus_message_get_member(message)), TryRead(message));
                foreach (var subscription in subscriptions.Where(s => s.Rule.Matches(signal)).ToArray())
                    subscription.Heard(signal);
                break;
        }
    }

    private static unsafe void Answer(nint message, byte type, Waiting asked)
    {
        if (type == MethodError)
        {
            var error = sd_bus_message_get_error(message);
            asked.Answer.TrySetException(Refused(asked.Call, error is null ? "" : TextOf(error->Name), error is null ? "" : TextOf(error->Message)));
            return;
        }
        try
        {
            asked.Answer.TrySetResult(MessageReader.Read(message));
        }
        catch (BusException unreadable)
        {
            asked.Answer.TrySetException(unreadable);
        }
    }

    private static BusException Refused(MethodCall call, string name, string said)
    {
        var why = said.Length > 0 ? said.TrimEnd('.') : name;
        var plain = new BusException(why, name);
        return plain.IsAbsence ? new BusException($"{call.Service} is not on this machine, or is off", name)
            : plain.IsRefusal ? new BusException($"{call} is not allowed to this service: {why}", name)
            : new BusException($"{call}: {why}", name);
    }

    private object?[] TryRead(nint message)
    {
        try
        {
            return MessageReader.Read(message);
        }
        catch (BusException unreadable)
        {
            BusLog.Unreadable(logger, unreadable.Message);
            return [];
        }
    }

    private void Send(MethodCall call, TaskCompletionSource<IReadOnlyList<object?>> answer)
    {
        // Calls before the greeting is answered are queued by libsystemd.
        if (bus == 0)
        {
            answer.TrySetException(new BusException(problem ?? "there is no system bus", BusException.NoBus));
            return;
        }
        var result = sd_bus_message_new_method_call(bus, out var message, call.Service, call.Path, call.Interface, call.Member);
        try
        {
            if (result >= 0)
                result = sd_bus_message_set_auto_start(message, call.AutoStart ? 1 : 0);
            if (result >= 0)
            {
                MessageWriter.Write(message, call.Signature, call.Arguments);
                result = sd_bus_send(bus, message, out var cookie);
                if (result >= 0)
                    waiting[cookie] = new Waiting(call, answer);
            }
            if (result < 0)
                answer.TrySetException(new BusException($"{call} cannot be asked ({Marshal.GetPInvokeErrorMessage(-result)})"));
        }
        catch (Exception e) when (e is BusException or ArgumentException or InvalidCastException)
        {
            answer.TrySetException(e);
        }
        finally
        {
            if (message != 0)
                sd_bus_message_unref(message);
        }
    }

    private void Match(string member, MatchRule rule)
    {
        var done = new TaskCompletionSource<IReadOnlyList<object?>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Send(new MethodCall(Daemon, "/org/freedesktop/DBus", Daemon, member) { Signature = "s", Arguments = [rule.ToString()] }, done);
        _ = done.Task.ContinueWith(failed => BusLog.NotMatched(logger, rule.ToString(), failed.Exception!.GetBaseException().Message),
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    private void Drop(Subscription subscription)
    {
        if (subscriptions.Remove(subscription) && bus != 0 && subscriptions.TrueForAll(s => s.Rule != subscription.Rule))
            Match("RemoveMatch", subscription.Rule);
    }

    private void Lose(string why, bool again)
    {
        if (problem != why && again)
            BusLog.NotConnected(logger, why);
        problem = why;
        if (bus != 0)
            sd_bus_close_unref(bus);
        (bus, ready) = (0, false);
        foreach (var (_, asked) in waiting)
            asked.Answer.TrySetException(new BusException(why, BusException.NoBus));
        waiting.Clear();
        connectAt = again ? Stopwatch.GetTimestamp() + (long)(pause.TotalSeconds * Stopwatch.Frequency) : long.MaxValue;
        pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        Changed?.Invoke();
    }

    private unsafe void Sleep()
    {
        var descriptors = stackalloc PollDescriptor[2];
        descriptors[0] = new PollDescriptor { Descriptor = (int)wake.DangerousGetHandle(), Events = POLLIN };
        var (count, until) = (1, bus == 0 ? connectAt : long.MaxValue);
        if (bus != 0)
        {
            descriptors[1] = new PollDescriptor { Descriptor = sd_bus_get_fd(bus), Events = (short)Math.Max(0, sd_bus_get_events(bus)) };
            count = 2;
            // Stopwatch is CLOCK_MONOTONIC, in nanoseconds.
            if (sd_bus_get_timeout(bus, out var microseconds) >= 0 && microseconds < long.MaxValue / 1000)
                until = (long)microseconds * 1000;
        }
        var left = until == long.MaxValue ? -1 : (int)Math.Clamp((until - Stopwatch.GetTimestamp()) / 1_000_000 + 1, 0, int.MaxValue);
        if (poll(descriptors, (nuint)count, left) > 0 && descriptors[0].Returned != 0)
        {
            ulong value;
            _ = read(wake, &value, 8);
        }
    }

    private static string TextOf(nint text) => Marshal.PtrToStringUTF8(text) ?? "";

    private sealed record Waiting(MethodCall Call, TaskCompletionSource<IReadOnlyList<object?>> Answer);

    private sealed class Subscription(SystemBus owner, MatchRule rule, Action<Signal> heard) : IDisposable
    {
        private volatile bool over;

        public MatchRule Rule => rule;

        public void Heard(Signal signal)
        {
            if (!over)
                heard(signal);
        }

        public void Dispose()
        {
            over = true;
            owner.Post(() => owner.Drop(this));
        }
    }
}
