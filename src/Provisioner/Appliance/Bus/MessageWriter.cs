using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using static Provisioner.Appliance.Bus.LibSystemd;

namespace Provisioner.Appliance.Bus;

/// <summary>Values into a message, by its signature. The types are those that <see cref="MessageReader"/> gives, but no variants and descriptors.</summary>
internal static unsafe class MessageWriter
{
    public static void Write(nint message, string signature, IReadOnlyList<object> values)
    {
        var rest = signature.AsSpan();
        foreach (var value in values)
        {
            var type = FirstType(rest);
            rest = rest[type.Length..];
            WriteOne(message, type, value);
        }
        if (!rest.IsEmpty)
            throw new ArgumentException($"'{signature}' asks for more than {values.Count} values", nameof(values));
    }

    private static void WriteOne(nint message, ReadOnlySpan<char> type, object value)
    {
        switch (type[0])
        {
            case 's' or 'o' or 'g':
                fixed (byte* text = Encoding.UTF8.GetBytes((string)value + '\0'))
                    Checked(sd_bus_message_append_basic(message, (byte)type[0], text));
                break;
            case 'b':
                WriteBasic(message, 'b', (bool)value ? 1 : 0);
                break;
            case 'y':
                WriteBasic(message, 'y', (byte)value);
                break;
            case 'q':
                WriteBasic(message, 'q', (ushort)value);
                break;
            case 'i':
                WriteBasic(message, 'i', (int)value);
                break;
            case 'u':
                WriteBasic(message, 'u', (uint)value);
                break;
            case 'x':
                WriteBasic(message, 'x', (long)value);
                break;
            case 't':
                WriteBasic(message, 't', (ulong)value);
                break;
            case 'a':
                WriteArray(message, type[1..], (IEnumerable)value);
                break;
            default:
                throw new ArgumentException($"a value of type '{type}' cannot be written", nameof(type));
        }
    }

    private static void WriteArray(nint message, ReadOnlySpan<char> element, IEnumerable values)
    {
        Checked(sd_bus_message_open_container(message, (byte)'a', element.ToString()));
        if (values is IDictionary entries)
        {
            // {kv}: a key of one letter, and a value.
            foreach (DictionaryEntry entry in entries)
            {
                Checked(sd_bus_message_open_container(message, (byte)'e', element[1..^1].ToString()));
                WriteOne(message, element[1..2], entry.Key);
                WriteOne(message, element[2..^1], entry.Value!);
                Checked(sd_bus_message_close_container(message));
            }
        }
        else
        {
            foreach (var value in values)
                WriteOne(message, element, value);
        }
        Checked(sd_bus_message_close_container(message));
    }

    private static void WriteBasic<T>(nint message, char type, T value) where T : unmanaged => Checked(sd_bus_message_append_basic(message, (byte)type, &value));

    // One complete type at the beginning of a signature.
    private static ReadOnlySpan<char> FirstType(ReadOnlySpan<char> signature)
    {
        if (signature.IsEmpty)
            throw new ArgumentException("there are more values than the signature has types", nameof(signature));
        var length = 0;
        while (signature[length] == 'a')
            length++;
        if (signature[length] is '(' or '{')
        {
            var depth = 0;
            do
            {
                depth += signature[length] is '(' or '{' ? 1 : signature[length] is ')' or '}' ? -1 : 0;
                length++;
            }
            while (depth > 0);
            return signature[..length];
        }
        return signature[..(length + 1)];
    }

    private static void Checked(int result)
    {
        if (result < 0)
            throw new BusException($"a message cannot be written ({Marshal.GetPInvokeErrorMessage(-result)})");
    }
}
