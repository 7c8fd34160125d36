package Scim;

# Runs nginx in a temporary directory, and clients for it.
#
#     my $t = Scim->new(server => 'location /scim/v2/ { scim main; }')->start;
#     my $token = $t->token($t->tenant('acme'));
#     my $r = $t->request(POST => '/scim/v2/Users', token => $token, json => { ... });
#     is $r->{status}, 201, 'POST creates a user';
#     $t->finish;      # fails if nginx logged an unexpected alert or crashed; calls done_testing
#
# Every wait is for an event, with a deadline; there are no fixed delays. Environment: TEST_NGINX_BINARY,
# TEST_NGINX_MODULE (unset: the module is linked into the binary), TEST_NGINX_PRELOAD (a sanitizer's runtime), TEST_SCIMCTL,
# TEST_POKE, TEST_FAULTS, TEST_LEAVE (keep the directory).

use strict;
use warnings;
use Carp qw(croak);
use File::Temp ();
use IO::Socket::INET;
use IPC::Open2 ();
use JSON::PP ();
use POSIX qw(WNOHANG);
use Storable ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Scim::Client;

our $deadline = 60;    # seconds; reached only if something is broken
our $json = JSON::PP->new->utf8->canonical->allow_nonref;

$SIG{PIPE} = 'IGNORE';
delete $ENV{NGINX};    # nginx would look for inherited sockets in it

# nginx becomes a daemon and so leaves its parent (it must: with `daemon off` it refuses a binary upgrade). On Linux, prctl
# PR_SET_CHILD_SUBREAPER makes this process its parent again, so that its exit status is known; elsewhere it is not.
my $prctl = { x86_64 => 157, aarch64 => 167 }->{ (POSIX::uname())[4] };
syscall $prctl, 36, 1, 0, 0, 0 if $^O eq 'linux' && $prctl;

# conf        a whole configuration; or: main, events, http, server as parts of the default one. Replaced are %%PORT%%,
#             %%PORT1%%, … (free ports), %%DIR%% (the temporary directory), %%HTTP2%% (the http2 parameter of `listen` or
#             the http2 directive after it, as this nginx needs it), and in a whole configuration %%MAIN%% and %%HTTP%%
# workers     the number of workers (default 1)
# expect_log  patterns of log lines that finish() ignores
sub new {
    my ($class, %o) = @_;
    my $dir = File::Temp->newdir('scim-test-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{TEST_LEAVE});
    my $self = bless {
        workers => 1, expect_log => [], main => '', events => '', http => '', server => '',
        %o, tempdir => $dir, dir => "$dir", owner => $$, ports => {}, locks => [], killed => {}, problems => [],
    }, $class;
    chmod 0755, $dir;
    mkdir "$dir/san" or die "$dir/san: $!";
    chmod 0777, "$dir/san";
    $self->{store} //= "$dir/store";
    $SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);    # so that DESTROY runs
    return $self->conf($self->{conf});
}

# Writes another configuration, for a reload.
sub conf {
    my ($self, $text, %part) = @_;
    @$self{keys %part} = values %part;
    $text //= "%%MAIN%%\nevents {\n$self->{events}\n}\nhttp {\n%%HTTP%%\n$self->{http}\n"
        . "server {\nlisten 127.0.0.1:%%PORT%%;\n$self->{server}\n}\n}\n";
    my $dir = $self->{dir};
    my $main = join "\n", 'daemon on;', "worker_processes $self->{workers};", "pid $dir/nginx.pid;",
        "error_log $dir/error.log " . ($ENV{TEST_NGINX_DEBUG} ? 'debug;' : 'info;'),
        ($> == 0 && $self->{main} !~ /^\s*user\s/m ? 'user root;' : ()),
        # nginx empties the environment before a binary upgrade
        ($ENV{TEST_NGINX_PRELOAD} ? map("env $_;", qw(LD_PRELOAD ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS)) : ()),
        ($ENV{TEST_NGINX_MODULE} ? "load_module $ENV{TEST_NGINX_MODULE};" : ()), $self->{main};
    my $http = join "\n", 'access_log off;', map "${_}_temp_path $dir/$_;", qw(client_body proxy fastcgi uwsgi scgi);
    $text =~ s/%%MAIN%%/$main/;
    $text =~ s/%%HTTP%%/$http/;
    $text =~ s/%%DIR%%/$dir/g;
    $text =~ s/%%PORT(\d*)%%/$self->port($1 || 0)/ge;
    $text =~ s/%%HTTP2%%/_version() ge v1.25.1 ? '; http2 on' : 'http2'/ge;
    $self->write_file('nginx.conf', $text);
    return $self;
}

sub write_file {
    my ($self, $name, $text) = @_;
    open my $f, '>', "$self->{dir}/$name" or croak "$self->{dir}/$name: $!";
    print $f $text;
    close $f or croak "$self->{dir}/$name: $!";
    return "$self->{dir}/$name";
}

# A free port, the same for the same $n. It is below the ephemeral ports, one of which another process could get before nginx
# starts; a UDP socket on the same port keeps other tests from choosing it.
sub port {
    my ($self, $n) = @_;
    return $self->{ports}{ $n // 0 } //= do {
        my ($port, $lock, $probe);
        for (1 .. 1000) {
            $port = 10000 + int rand 20000;
            $lock = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => $port) or next;
            $probe = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port) and last;
        }
        $probe or croak 'no free port';
        push @{ $self->{locks} }, $lock;
        $port;
    };
}

# Calls the code until it returns a true value, and returns that; returns nothing after the deadline.
sub wait_for {
    my ($self, $code, $seconds) = @_;
    my $end = time + ($seconds // $deadline);
    for (my $pause = 0.005; ; $pause = $pause < 0.1 ? $pause * 1.5 : 0.1) {
        my $value = $code->();
        return $value if $value;
        return if time > $end;
        sleep $pause;
    }
}

sub _nginx { $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx' }

# The version of nginx, comparable with v1.25.1.
my $version;

sub _version {
    return $version //= do {
        my $said = readpipe _nginx() . ' -v 2>&1';
        $said =~ m{nginx/(\d+)\.(\d+)\.(\d+)} or croak "nginx -v: $said";
        pack 'U*', $1, $2, $3;
    };
}

# Sanitizers in nginx and scimctl write one report file per process.
sub _environment {
    my ($self, $preload) = @_;
    $ENV{LD_PRELOAD} = $preload if $preload;
    $ENV{TEST_NGINX_PRELOAD} or return;
    $ENV{$_} = join ':', grep(length, $ENV{$_} // ''), "log_path=$self->{dir}/san/report" for qw(ASAN_OPTIONS UBSAN_OPTIONS);
}

# Runs a program to its end with $input on its stdin: (exit code or 128 + signal, stdout, stderr).
sub run {
    my ($self, $input, @command) = @_;
    my ($in, $out, $err) = map File::Temp->new, 1 .. 3;
    print $in $input // '';
    seek $in, 0, 0;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $self->_environment($command[0] eq _nginx() && $ENV{TEST_NGINX_PRELOAD});
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>&', $err;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    if (!$self->wait_for(sub { waitpid($pid, WNOHANG) == $pid })) {
        kill KILL => $pid;
        waitpid $pid, 0;
    }
    my $status = $?;
    return ($status & 127 ? 128 + ($status & 127) : $status >> 8, map { seek $_, 0, 0; local $/; <$_> // '' } $out, $err);
}

# nginx -t: (exit code, output). Leaks are not reported: nginx leaks its first pool when it refuses a configuration, with and
# without the module.
sub check {
    my ($self) = @_;
    local $ENV{ASAN_OPTIONS} = join ':', grep length, $ENV{ASAN_OPTIONS} // '', 'detect_leaks=0';
    my ($exit, $out, $err) = $self->run('', _nginx(), '-t', '-p', $self->{dir},
        '-c', "$self->{dir}/nginx.conf", '-e', 'stderr');
    return ($exit, $out . $err);
}

# Runs scimctl on the store: (exit code, stdout, stderr). A leading { stdin => … } is its stdin.
sub scimctl {
    my ($self, @args) = @_;
    my $o = ref $args[0] ? shift @args : {};
    my $tool = $ENV{TEST_SCIMCTL} or croak 'TEST_SCIMCTL is not set';
    return $self->run($o->{stdin}, $tool, '--store', $self->{store}, @args);
}

# Adds a tenant and returns its name.
sub tenant {
    my ($self, $name) = @_;
    $self->own_by_root;
    my ($exit, $out, $err) = $self->scimctl(qw(tenant add), $name);
    croak "scimctl tenant add $name: $exit: $out$err" if $exit;
    return $name;
}

# Creates a token and returns it. The options are those of scimctl: scope, label, …
sub token {
    my ($self, $tenant, %o) = @_;
    %o = (tenant => $tenant, label => 'test', scope => 'write', %o);
    my ($exit, $out, $err) = $self->scimctl(qw(token create --json), map { ("--$_" => $o{$_}) } sort keys %o);
    croak "scimctl token create: $exit: $out$err" if $exit;
    return $json->decode($out)->{token} // croak "no token in: $out";
}

# Makes a store with one tenant before nginx starts, so that no worker has to make it; returns a token of the tenant.
sub seed {
    my ($self, $tenant, %o) = @_;
    -d $self->{store} or mkdir $self->{store}, 0700 or croak "$self->{store}: $!";
    return $self->token($self->tenant($tenant), %o);
}

# Workers run as root in these tests, which scimctl cannot know: in an empty directory of root it refuses to make a store
# unless there is a data.mdb.
sub own_by_root {
    my ($self) = @_;
    # nginx may make data.mdb at the same time.
    sysopen my $f, "$self->{store}/data.mdb", POSIX::O_WRONLY | POSIX::O_CREAT, 0600 if $> == 0 && -d $self->{store};
    return;
}

# Runs t/tools/poke.cc on the store: (exit code, stdout, stderr).
sub poke {
    my ($self, @args) = @_;
    return $self->run('', $ENV{TEST_POKE} // croak('TEST_POKE is not set'), $self->{store}, @args);
}

# Takes the write lock of the store in another process: no write commits until release() is called with the returned value.
sub hold_lock { return $_[0]->_hold('hold', 'held') }

# Reads a snapshot of the store in another process until release().
sub hold_snapshot { return $_[0]->_hold('read', 'reading') }

sub _hold {
    my ($self, $command, $said) = @_;
    my $pid = IPC::Open2::open2(my $out, my $in, $ENV{TEST_POKE} // croak('TEST_POKE is not set'), $self->{store}, $command);
    (<$out> // '') eq "$said\n" or croak "poke $command failed";
    return { pid => $pid, in => $in, out => $out };
}

sub release {
    my ($self, $lock) = @_;
    syswrite $lock->{in}, 'x';
    close $_ for @$lock{qw(in out)};
    waitpid $lock->{pid}, 0;
    return;
}

# --- processes

sub start {
    my ($self) = @_;
    $self->{pid} and croak 'nginx runs already';
    my ($exit, $out, $err) = $self->run('', _nginx(), '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf",
        '-e', "$self->{dir}/error.log");
    $self->write_file('stderr', $out . $err);
    $exit and croak "nginx did not start: $out$err" . $self->log;
    $self->{pid} = $self->wait_for(sub { _slurp("$self->{dir}/nginx.pid") =~ /^(\d+)\n/ && $1 })
        or croak "nginx did not write its process id:\n" . $self->log;
    my $up = $self->wait_for(sub {
        return 'gone' if $self->_gone;
        return if $self->workers < $self->{workers};
        return !$self->{ports}{0} || IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->port) ? 'up' : undef;
    }) // 'late';
    return $self if $up eq 'up';
    my $log = $self->log;
    $self->_kill;
    croak "nginx did not start ($up):\n$log";
}

# True if the process has ended; reaps a child. A zombie that another process does not reap counts as ended.
sub _gone {
    my ($self, $pid) = @_;
    $pid //= $self->{pid};
    if (waitpid($pid, WNOHANG) == $pid) { $self->{exit}{$pid} = $? if ref $self; return 1 }
    return ((_stat($pid))[0] // 'Z') eq 'Z';
}

# (state, parent's pid)
sub _stat {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/stat" or return;
    return (<$f> // '') =~ /.*\) (\S) (\d+)/ ? ($1, $2) : ();
}

sub _title {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/cmdline" or return '';
    return scalar(<$f>) // '';
}

sub _children {
    my ($pid) = @_;
    return grep { my ($state, $parent) = _stat($_); $parent && $parent == $pid && $state ne 'Z' }
        map m{/proc/(\d+)$}, glob '/proc/[0-9]*';
}

# The process ids of the workers that accept requests, without cache managers and exiting workers. In scalar context their
# number.
sub workers {
    my ($self) = @_;
    my @pids = grep { _title($_) =~ /worker process(?! is shutting down)/ } _children($self->{pid});
    return @pids;
}

# Waits until every thread of the process sleeps: a pool thread does so a moment after the event loop has sent its answer.
sub threads_sleep {
    my ($self, $pid) = @_;
    return $self->wait_for(sub { !grep _slurp($_) !~ /\) S /, glob "/proc/$pid/task/*/stat" });
}

sub signal { my ($self, $signal, $pid) = @_; kill $signal => $pid // $self->{pid}; return $self }

# Waits until every worker serves the store of a location. Of the workers that open a new store one prepares it, so that a
# request to another one may still get 503; workers of a reload find it prepared.
sub served {
    my ($self, $path, %o) = @_;
    $self->wait_for(sub { $self->request(GET => $path, %o)->{status} !~ /^(?:0|503)$/ }) or croak "$path is not served";
    $self->reload(gone => 1) if $self->{workers} > 1;
    return $self;
}

# Sends HUP and waits until new workers have taken over (with gone => 1: and the old ones have ended). Returns false if nginx
# refuses the new configuration.
sub reload {
    my ($self, %o) = @_;
    my %old = map { $_ => 1 } $self->workers;
    my $seen = length $self->log;
    kill HUP => $self->{pid};
    my $done = $self->wait_for(sub {
        return 'refused' if substr($self->log, $seen) =~ /\[emerg\]/;
        my @now = $self->workers;
        return @now >= $self->{workers} && !grep $old{$_}, @now;
    }) or croak "no reload:\n" . $self->log;
    $o{gone} and $done ne 'refused'
        and ($self->wait_for(sub { !grep !$self->_gone($_), keys %old }) or croak 'old workers stay');
    return $done ne 'refused';
}

# Kills one worker with a signal and waits for the worker that replaces it, whose process id is returned. finish() ignores
# the [alert] "worker process N exited on signal" of this process and signal.
sub kill_worker {
    my ($self, $pid, $signal) = @_;
    my %old = map { $_ => 1 } $self->workers;
    $self->{killed}{$pid} = { KILL => 9, ABRT => 6, SEGV => 11 }->{ $signal //= 'KILL' } // croak "not for SIG$signal";
    kill $signal => $pid;
    my ($new) = @{ $self->wait_for(sub {
        my @new = grep !$old{$_}, $self->workers;
        @new && $self->_gone($pid) && \@new;
    }) // croak "worker $pid got no successor" };
    return $new;
}

# Binary upgrade: sends USR2, and once the new master has workers, WINCH (the old workers end) and QUIT to the old master.
sub upgrade {
    my ($self) = @_;
    my ($old, $file) = ($self->{pid}, "$self->{dir}/nginx.pid");
    kill USR2 => $old;
    my $new = $self->wait_for(sub { -e "$file.oldbin" && _slurp($file) =~ /^(\d+)\n/ && $1 })
        or croak "no new master:\n" . $self->log;
    @$self{qw(pid old)} = ($new, $old);
    $self->wait_for(sub { $self->workers >= $self->{workers} }) or croak 'the new master has no workers';
    kill WINCH => $old;
    my $new_master = $self->{pid};
    $self->wait_for(sub { !grep $_ != $new_master, _children($old) }) or croak 'the workers of the old master stay';
    kill QUIT => $old;
    $self->wait_for(sub { $self->_gone($old) }) or croak 'the old master stays';
    delete $self->{old};
    my $status = delete $self->{exit}{$old};
    push @{ $self->{problems} }, "the old master ended with status $status\n" if $status;
    return $self;
}

# Graceful and fast shutdown; true if nginx ended before the deadline and with status 0.
sub quit { return $_[0]->_end('QUIT') }
sub stop { return $_[0]->_end('TERM') }

sub _end {
    my ($self, $signal) = @_;
    my $pid = $self->{pid} or return 1;
    kill $signal => $pid;
    my $ended = $self->wait_for(sub { $self->_gone($pid) });
    push @{ $self->{problems} }, "nginx did not end within $deadline s of $signal\n" if !$ended;
    $ended ? delete $self->{pid} : $self->_kill;
    my $status = delete $self->{exit}{$pid} // 0;
    push @{ $self->{problems} }, "nginx ended with status $status\n" if $status;
    return $ended && !$status;
}

# Kills all processes, masters first, as they would start new workers.
sub _kill {
    my ($self) = @_;
    my @pids = grep defined, delete @$self{qw(pid old)};
    for (my $i = 0; $i < @pids; $i++) { push @pids, _children($pids[$i]) }
    kill KILL => $_ for @pids;
    $self->wait_for(sub { !grep !$self->_gone($_), @pids }, 5);
    return;
}

# The number of requests whose body has arrived and that have no answer yet, in locations with client_body_in_file_only
# clean.
sub bodies {
    my ($self) = @_;
    return scalar(() = glob "$self->{dir}/client_body/*");
}

# --- checks of the logs

sub _slurp {
    open my $f, '<', $_[0] or return '';
    local $/;
    return <$f> // '';
}

sub log { return _slurp("$_[0]{dir}/error.log") }

# Waits for a line in the error log; returns the match, or nothing after the deadline.
sub wait_log {
    my ($self, $pattern, $seconds) = @_;
    return $self->wait_for(sub { $self->log =~ $pattern ? $& || 1 : 0 }, $seconds);
}

# Log lines and sanitizer reports that mean a fault, line by line.
sub complaints {
    my ($self) = @_;
    my @bad = @{ $self->{problems} };
    my ($log, $sanitizer, %killed) = ($self->log, qr/Sanitizer|runtime error:/, %{ $self->{killed} });
    for (split /^/, $log . _slurp("$self->{dir}/stderr")) {
        if (/$sanitizer/) { push @bad, $_; next }
        /\[(?:alert|crit|emerg)\]|exited with code (?!0\b)|terminate called|Assertion .* failed/ or next;
        /worker process (\d+) exited on signal (\d+)/ && ($killed{$1} // 0) == $2 && delete $killed{$1} and next;
        my $line = $_;
        push @bad, $line if !grep $line =~ $_, @{ $self->{expect_log} };
    }
    for my $file (glob "$self->{dir}/san/*") {
        my @report = split /^/, _slurp($file);
        push @bad, @report > 40 ? (@report[0 .. 39], "…\n") : @report;
    }
    if (!$self->{pid}) {    # the error log must have the end of each worker
        my %left = map { $_ => 1 } $log =~ /start worker process (\d+)/g;
        delete @left{ keys %{ $self->{killed} }, $log =~ /process (\d+) exited (?:with code|on signal)/g };
        push @bad, map "the error log has no end of worker $_\n", sort keys %left;
    }
    return @bad;
}

# Ends a test: a graceful shutdown, and no fault in the logs.
sub finish {
    my ($self) = @_;
    my $ended = Test::More::ok($self->quit, 'nginx ended when it was asked to');
    my $clean = Test::More::is(join('', $self->complaints), '', 'no alert, no crash, no sanitizer report');
    if (!$ended || !$clean) {
        my @log = grep !/\[(?:debug|info)\]/, split /^/, $self->log;
        Test::More::diag("the end of error.log:\n", @log > 30 ? @log[-30 .. -1] : @log);
    }
    Test::More::done_testing();
    return;
}

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$;    # a child that was forked by a test
    local ($?, $!, $@);
    $self->_kill;
    return;
}

# --- requests

# A user with its schema.
sub user {
    my ($name, %more) = @_;
    return { schemas => ['urn:ietf:params:scim:schemas:core:2.0:User'], userName => $name, %more };
}

# A client that keeps its connection, see Scim::Client; port => n is %%PORTn%%.
sub client {
    my ($self, %o) = @_;
    return Scim::Client->new(%o, port => $self->port($o{port} // 0));
}

# Sends one request on a connection of its own.
sub request {
    my ($self, $method, $path, %o) = @_;
    my $client = $self->client(map { exists $o{$_} ? ($_ => delete $o{$_}) : () } qw(port tls));
    return $client->request($method, $path, %o, close => 1);
}

# Calls $code->($i, $client) for $i from 0 to $count - 1, distributed over that many processes with a client each, and
# returns the results in the order of $i. The processes start together; a result must be plain data.
sub concurrently {
    my ($self, @how) = @_;
    return $self->collect($self->launch(@how));
}

# The same in two steps, so that the test can do something else meanwhile.
sub launch {
    my ($self, $processes, $count, $code, %o) = @_;
    pipe my $gate, my $open or die "pipe: $!";
    my @child;
    for my $p (0 .. $processes - 1) {
        pipe my $from, my $to or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $open;
            sysread $gate, my $byte, 1;
            my $client = $self->client(%o);
            my @mine;
            for (my $i = $p; $i < $count; $i += $processes) {
                push @mine, [$i, eval { $code->($i, $client) } // { status => 0, error => "$@" }];
            }
            binmode $to;
            print $to Storable::nfreeze(\@mine);
            close $to;
            POSIX::_exit(0);
        }
        push @child, [$pid, $from];
    }
    close $open;
    return \@child;
}

sub collect {
    my ($self, $children) = @_;
    my @result;
    for (@$children) {
        my ($pid, $from) = @$_;
        binmode $from;
        my $frozen = do { local $/; <$from> } // '';
        waitpid $pid, 0;
        length $frozen or croak "a client process ended with status $?";
        $result[ $_->[0] ] = $_->[1] for @{ Storable::thaw($frozen) };
    }
    return @result;
}

1;
