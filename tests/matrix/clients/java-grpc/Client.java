// The contract of ../README.md in gRPC: grpc-java with the Netty that it brings along, whose TLS is a BoringSSL of its own and not the JVM's.
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;

public class Client {
    static final String HOST = "us-central1-aiplatform.googleapis.com";
    static final String SERVICE = "google.cloud.aiplatform.v1.PredictionService";
    static final String MODEL = "projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-flash";

    static final MethodDescriptor.Marshaller<byte[]> AS_IS = new MethodDescriptor.Marshaller<>() {
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        public byte[] parse(InputStream message) {
            try {
                return message.readAllBytes();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    };

    static MethodDescriptor<byte[], byte[]> method(MethodDescriptor.MethodType type, String name) {
        return MethodDescriptor.newBuilder(AS_IS, AS_IS)
                .setType(type)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                .build();
    }

    static byte[] asked() throws IOException {
        // content: {role: "user", parts: {text: "hello"}}, model
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write("\022\017\n\004user\022\007\n\005hello\052".getBytes("ISO-8859-1"));
        out.write(MODEL.length());
        out.write(MODEL.getBytes("ISO-8859-1"));
        return out.toByteArray();
    }

    public static void main(String[] arguments) throws Exception {
        SslContext tls = GrpcSslContexts.forClient().trustManager(new File(System.getenv("SSL_CERT_FILE"))).build();
        Metadata said = new Metadata();
        said.put(
                Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
                "Bearer " + System.getenv("OPENAI_API_KEY"));
        System.out.println("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        int calls = Integer.parseInt(input.readLine().trim());
        Channel channel = ClientInterceptors.intercept(
                NettyChannelBuilder.forAddress(HOST, 443).sslContext(tls).build(),
                MetadataUtils.newAttachHeadersInterceptor(said));
        var unary = method(MethodDescriptor.MethodType.UNARY, "GenerateContent");
        var streamed = method(MethodDescriptor.MethodType.SERVER_STREAMING, "StreamGenerateContent");
        for (int number = 0; number < calls; number++) {
            if (number % 2 == 1) {
                ClientCalls.blockingServerStreamingCall(channel, streamed, CallOptions.DEFAULT, asked())
                        .forEachRemaining(part -> {});
            } else {
                ClientCalls.blockingUnaryCall(channel, unary, CallOptions.DEFAULT, asked());
            }
        }
        System.out.println("done");
        while (input.readLine() != null) {}
        System.exit(0);
    }
}
