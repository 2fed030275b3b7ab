using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;
using ISession = Net.Pkcs11Interop.HighLevelAPI.ISession; // ASP.NET Core has one as well.

namespace Provisioner.Certificates.Keys;

/// <summary>
/// One session with one token, logged in, used by one caller at a time. One is enough: an authority signs a certificate for a host and
/// a list now and then, and a lock cannot leave half an operation in a session that another thread then meets.
/// </summary>
internal sealed class Pkcs11Token(Pkcs11Options options, Secret pin) : IDisposable
{
    private readonly Lock gate = new();
    private readonly Pkcs11Module module = Pkcs11Module.Load(options.Library);
    private Connection? connection;
    private string? refused;
    private bool wasThere;
    private bool disposed;

    /// <summary>How messages name it: <c>'label'</c>, or <c>with the serial number '…'</c>.</summary>
    public string Name => options.Token is { } label ? $"'{label}'" : $"with the serial number '{options.Serial}'";

    /// <summary>
    /// Does something on the token. When the session turns out to be lost, because the token was unplugged or restarted, it is opened
    /// once more and the work done again; work that must not be done twice says so.
    /// </summary>
    /// <param name="what">What it is, as it goes after "cannot": "sign".</param>
    /// <exception cref="KeyStoreException">It cannot be done.</exception>
    public T Do<T>(string what, Func<Connection, T> work, bool twice = true)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var old = connection is not null;
            try
            {
                return work(connection ??= Connect());
            }
            catch (Pkcs11Exception exception)
            {
                if (IsLoss(exception.RV))
                    Close();
                if (!old || !twice || connection is not null)
                    throw Failed(what, exception);
            }
            try
            {
                return work(connection = Connect());
            }
            catch (Pkcs11Exception exception)
            {
                if (IsLoss(exception.RV))
                    Close();
                throw Failed(what, exception);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            Close();
            module.Dispose();
            pin.Dispose();
        }
    }

    private Connection Connect()
    {
        // A wrong PIN stays wrong, and each try brings the token nearer to locking itself.
        if (refused is not null)
            throw new KeyStoreException(refused);
        if (TryFind(out var slot, out var token) is { } missing)
        {
            if (!wasThere)
                throw missing;
            module.Restart();
            if (TryFind(out slot, out token) is { } stillMissing)
                throw stillMissing;
        }
        wasThere = true;
        var session = slot.OpenSession(SessionType.ReadWrite);
        try
        {
            if (token.TokenFlags.LoginRequired)
                LogIn(session, token);
            return new Connection(session);
        }
        catch
        {
            Close(session);
            throw;
        }
    }

    private void LogIn(ISession session, ITokenInfo token)
    {
        if (token.TokenFlags.UserPinLocked)
            throw Refuse($"The PIN of the token {Name} is locked, after too many wrong ones. Unlock it as its security officer (pkcs11-tool --init-pin --login --login-type so), then start again.");
        if (token.TokenFlags.UserPinFinalTry)
            throw Refuse($"The token {Name} locks itself at the next wrong PIN, so this service does not try. Log in once by hand with the right one (pkcs11-tool --login --list-objects), put it into {pin.Origin}, then start again.");
        var bytes = GC.AllocateArray<byte>(pin.Bytes.Length, pinned: true);
        pin.Bytes.CopyTo(bytes);
        try
        {
            session.Login(CKU.CKU_USER, bytes);
        }
        catch (Pkcs11Exception exception) when (exception.RV == CKR.CKR_USER_ALREADY_LOGGED_IN)
        {
            // All sessions of a process are logged in together.
        }
        catch (Pkcs11Exception exception) when (exception.RV is CKR.CKR_PIN_INCORRECT or CKR.CKR_PIN_INVALID or CKR.CKR_PIN_LEN_RANGE)
        {
            throw Refuse($"The token {Name} refuses the PIN from {pin.Origin} ({exception.RV}). It is not tried again, because a token locks itself after a few wrong ones: correct it, then start again.", exception);
        }
        catch (Pkcs11Exception exception) when (exception.RV is CKR.CKR_PIN_LOCKED)
        {
            throw Refuse($"The PIN of the token {Name} is locked, after too many wrong ones. Unlock it as its security officer (pkcs11-tool --init-pin --login --login-type so), then start again.", exception);
        }
        catch (Pkcs11Exception exception) when (exception.RV is CKR.CKR_PIN_EXPIRED or CKR.CKR_USER_PIN_NOT_INITIALIZED)
        {
            throw Refuse($"The token {Name} has no PIN that is valid ({exception.RV}): set one (pkcs11-tool --init-pin or --change-pin), put it into {pin.Origin}, then start again.", exception);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private KeyStoreException Refuse(string reason, Exception? cause = null) => new(refused = reason, cause);

    /// <returns>Null when it is there, or why it is not.</returns>
    private KeyStoreException? TryFind(out ISlot slot, out ITokenInfo token)
    {
        (slot, token) = (null!, null!);
        var there = module.Library.GetSlotList(SlotsType.WithTokenPresent)
            .Select(slot => (Slot: slot, Token: TokenIn(slot)))
            .Where(t => t.Token is { TokenFlags.TokenInitialized: true })
            .ToList();
        var matching = there.Where(t => (options.Token is null || Trim(t.Token!.Label) == options.Token)
            && (options.Serial is null || Trim(t.Token!.SerialNumber) == options.Serial)).ToList();
        if (matching.Count == 1)
        {
            (slot, token) = (matching[0].Slot, matching[0].Token!);
            return null;
        }
        if (matching.Count > 1)
            return new KeyStoreException($"There are {matching.Count} tokens {Name}: {Names(matching)}. Say which by 'ca.pkcs11.serial' in the configuration.");
        var wanted = options is { Token: not null, Serial: { } serial } ? $"{Name} with the serial number '{serial}'" : Name;
        return new KeyStoreException($"There is no token {wanted} behind '{options.Library}'; "
            + (there.Count == 0 ? "there is none at all. Connect it, or initialise it (softhsm2-util or pkcs11-tool --init-token)." : $"there is {Names(there)}. Connect it, or correct 'ca.pkcs11' in the configuration."));

        static string Names(IEnumerable<(ISlot Slot, ITokenInfo? Token)> tokens) =>
            string.Join(", ", tokens.Select(t => $"'{Trim(t.Token!.Label)}' (serial number '{Trim(t.Token.SerialNumber)}')").Order(StringComparer.Ordinal));
    }

    private static ITokenInfo? TokenIn(ISlot slot)
    {
        try
        {
            return slot.GetTokenInfo();
        }
        catch (Pkcs11Exception)
        {
            return null; // Unplugged since the list was made, or one that is not to be recognised: not the one looked for.
        }
    }

    /// <summary>Padded with blanks to its fixed length (PKCS#11 2.40 base specification section 3.2, CK_TOKEN_INFO).</summary>
    private static string Trim(string padded) => padded.TrimEnd(' ', '\0');

    /// <summary>What a session or its objects answer when the token, or the way to it, went away in between.</summary>
    private static bool IsLoss(CKR code) => code is CKR.CKR_SESSION_HANDLE_INVALID or CKR.CKR_SESSION_CLOSED or CKR.CKR_DEVICE_REMOVED or CKR.CKR_DEVICE_ERROR
        or CKR.CKR_TOKEN_NOT_PRESENT or CKR.CKR_TOKEN_NOT_RECOGNIZED or CKR.CKR_SLOT_ID_INVALID or CKR.CKR_USER_NOT_LOGGED_IN
        or CKR.CKR_KEY_HANDLE_INVALID or CKR.CKR_OBJECT_HANDLE_INVALID or CKR.CKR_OPERATION_ACTIVE or CKR.CKR_GENERAL_ERROR or CKR.CKR_FUNCTION_FAILED;

    private KeyStoreException Failed(string what, Pkcs11Exception exception) => new(exception.RV switch
    {
        CKR.CKR_MECHANISM_INVALID or CKR.CKR_DOMAIN_PARAMS_INVALID or CKR.CKR_CURVE_NOT_SUPPORTED or CKR.CKR_KEY_SIZE_RANGE =>
            $"The token {Name} cannot {what}: it does not know this kind of key ({exception.RV}). Choose another kind, or another token.",
        CKR.CKR_DEVICE_MEMORY => $"The token {Name} cannot {what}: it is full ({exception.RV}).",
        CKR.CKR_TOKEN_WRITE_PROTECTED => $"The token {Name} cannot {what}: it is write-protected ({exception.RV}).",
        var code when IsLoss(code) => $"The token {Name} cannot {what}: it does not answer as it should ({exception.Method}: {code}). Look whether it is connected and runs; it is opened again at the next use.",
        var code => $"The token {Name} cannot {what} ({exception.Method}: {code}).",
    }, exception);

    private void Close()
    {
        if (connection is not null)
            Close(connection.Session);
        connection = null;
    }

    private static void Close(ISession session)
    {
        try
        {
            session.Dispose();
        }
        catch (Pkcs11Exception)
        {
            // Gone already.
        }
    }

    /// <summary>A session, and with it the life of every object handle: a new one has new handles.</summary>
    internal sealed class Connection(ISession session)
    {
        private readonly Dictionary<string, IObjectHandle> privateKeys = [];

        public ISession Session { get; } = session;

        /// <exception cref="KeyStoreException">There is none by that id, or more than one.</exception>
        public IObjectHandle PrivateKey(string id, string token)
        {
            if (!privateKeys.TryGetValue(id, out var handle))
                privateKeys.Add(id, handle = Single(CKO.CKO_PRIVATE_KEY, id, "private", token));
            return handle;
        }

        public IObjectHandle PublicKey(string id, string token) => Single(CKO.CKO_PUBLIC_KEY, id, "public", token);

        public List<IObjectHandle> Find(CKO kind, string id)
        {
            var make = Session.Factories.ObjectAttributeFactory;
            List<IObjectAttribute> wanted = [make.Create(CKA.CKA_TOKEN, true), make.Create(CKA.CKA_CLASS, kind), make.Create(CKA.CKA_ID, System.Text.Encoding.ASCII.GetBytes(id))];
            try
            {
                return Session.FindAllObjects(wanted);
            }
            finally
            {
                wanted.ForEach(attribute => attribute.Dispose());
            }
        }

        public void Destroy(string id)
        {
            privateKeys.Remove(id);
            // The private key first: should the token go away in between, what is left signs nothing.
            foreach (var handle in Find(CKO.CKO_PRIVATE_KEY, id).Concat(Find(CKO.CKO_PUBLIC_KEY, id)))
                Session.DestroyObject(handle);
        }

        private IObjectHandle Single(CKO kind, string id, string name, string token) => Find(kind, id) switch
        {
            [var only] => only,
            [] => throw new KeyStoreException($"The token {token} has no {name} key with the id '{id}' (CKA_ID in ASCII). Bring it back from the token's backup, or correct 'ca.pkcs11' in the configuration if it is on another one."),
            var several => throw new KeyStoreException($"The token {token} has {several.Count} {name} keys with the id '{id}' (CKA_ID in ASCII), and which is meant cannot be told. Remove or rename those that are not the CA's (pkcs11-tool --list-objects, --delete-object)."),
        };
    }
}
