// The contract of ../README.md, for clients that differ in how they make a call.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.TrustManagerFactory;

final class Contract {
    static final String URL = "https://api.openai.com/v1/chat/completions";
    static final String BEARER = "Bearer " + System.getenv("OPENAI_API_KEY");

    interface Call {
        /** Makes the call, reads its answer to the end, gives its status. */
        int make(String body) throws Exception;
    }

    static TrustManagerFactory trust() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (var in = Files.newInputStream(Path.of(System.getenv("SSL_CERT_FILE")))) {
            store.setCertificateEntry("demo", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        return trust;
    }

    static void keep(Call call) throws Exception {
        System.out.println("ready");
        var input = new BufferedReader(new InputStreamReader(System.in));
        int calls = Integer.parseInt(input.readLine().trim());
        for (int number = 0; number < calls; number++) {
            String stream = number % 2 == 0 ? "" : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
            int status = call.make("{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" + stream + "}");
            if (status != 200) throw new IllegalStateException("status " + status);
        }
        System.out.println("done");
        input.readLine();
        System.exit(0);
    }
}
