using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Provisioner.Appliance.Bus.LibSystemd;

namespace Provisioner.Appliance.Bus;

/// <summary>
/// What a message holds, as values of .NET: numbers as they are, a text, object path or signature as <see cref="string"/>, an array or struct
/// as <c>object?[]</c>, a dictionary as <see cref="Dictionary{TKey, TValue}"/>, a variant as what is in it, a file descriptor as
/// <see cref="SafeFileHandle"/> of our own.
/// </summary>
internal static unsafe class MessageReader
{
    public static object?[] Read(nint message)
    {
        var values = new List<object?>();
        while (TryReadOne(message, out var value))
            values.Add(value);
        return [.. values];
    }

    private static bool TryReadOne(nint message, out object? value)
    {
        value = null;
        if (Checked(sd_bus_message_peek_type(message, out var type, out var contents)) == 0)
            return false;
        value = (char)type switch
        {
            'y' => ReadBasic<byte>(message, type),
            'b' => ReadBasic<int>(message, type) != 0,
            'n' => ReadBasic<short>(message, type),
            'q' => ReadBasic<ushort>(message, type),
            'i' => ReadBasic<int>(message, type),
            'u' => ReadBasic<uint>(message, type),
            'x' => ReadBasic<long>(message, type),
            't' => ReadBasic<ulong>(message, type),
            'd' => ReadBasic<double>(message, type),
            's' or 'o' or 'g' => Marshal.PtrToStringUTF8(ReadBasic<nint>(message, type)) ?? "",
            'h' => Duplicate(ReadBasic<int>(message, type)),
            'a' or 'r' or 'e' or 'v' => ReadContainer(message, type, contents),
            var other => throw new BusException($"a message holds a value of the unknown type '{other}'"),
        };
        return true;
    }

    private static object? ReadContainer(nint message, byte type, nint contents)
    {
        var isDictionary = type == 'a' && contents != 0 && *(byte*)contents == '{';
        Checked(sd_bus_message_enter_container(message, type, contents));
        var inside = Read(message);
        Checked(sd_bus_message_exit_container(message));
        if (isDictionary)
        {
            var entries = new Dictionary<object, object?>();
            foreach (var entry in inside)
                entries[((object?[])entry!)[0]!] = ((object?[])entry)[1];
            return entries;
        }
        return type == 'v' ? inside[0] : inside;
    }

    private static T ReadBasic<T>(nint message, byte type) where T : unmanaged
    {
        T value = default;
        Checked(sd_bus_message_read_basic(message, type, &value));
        return value;
    }

    // The message's own descriptor is closed with it.
    private static SafeFileHandle Duplicate(int descriptor)
    {
        using var borrowed = new SafeFileHandle(descriptor, ownsHandle: false);
        return Networks.Sockets.Libc.Duplicate(borrowed);
    }

    private static int Checked(int result) => result >= 0 ? result : throw new BusException($"a message cannot be read ({Marshal.GetPInvokeErrorMessage(-result)})");
}
